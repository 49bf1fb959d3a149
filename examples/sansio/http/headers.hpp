// examples/sansio/http/headers.hpp — the fields of a header or trailer section.
// SPDX-License-Identifier: MIT
#pragma once

#include "syntax.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace http {

/// One field. Refers into the headers that it is from.
struct field {
    std::string_view name;
    std::string_view value;
    friend bool operator==(const field&, const field&) = default;
};

/// Fields in their order, with repetitions and names as they were written; looking one up ignores case. Two allocations
/// hold them all. What is added is not checked here: what is received was checked before, and what is sent is checked
/// then.
class headers {
public:
    headers() = default;
    headers(std::initializer_list<field> fields) {
        for (const field& each : fields) {
            add(each.name, each.value);
        }
    }

    void add(std::string_view name, std::string_view value) {
        const std::size_t start = text_.size();
        text_.append(name).append(value);
        places_.push_back({start, start + name.size(), text_.size()});
    }
    void remove(std::string_view name) {
        std::erase_if(places_, [&](const place& at) { return syntax::equal(get(at).name, name); });
    }
    /// Replaces the first field of that name, and removes the others; adds one at the end if there is none.
    void set(std::string_view name, std::string_view value) {
        std::size_t index = 0;
        while (index < size() && !syntax::equal((*this)[index].name, name)) {
            ++index;
        }
        remove(name);
        add(name, value);
        std::rotate(places_.begin() + static_cast<std::ptrdiff_t>(index), places_.end() - 1, places_.end());
    }

    std::size_t size() const noexcept { return places_.size(); }
    bool empty() const noexcept { return places_.empty(); }
    field operator[](std::size_t index) const noexcept { return get(places_[index]); }

    /// The value of the first field of that name. Refers into *this.
    std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (const field each : *this) {
            if (syntax::equal(each.name, name)) {
                return each.value;
            }
        }
        return std::nullopt;
    }
    std::size_t count(std::string_view name) const noexcept {
        std::size_t found = 0;
        for (const field each : *this) {
            found += syntax::equal(each.name, name) ? 1 : 0;
        }
        return found;
    }
    /// Whether the fields of that name, which are lists, have that element: `lists("Connection", "close")`.
    bool lists(std::string_view name, std::string_view element) const noexcept {
        for (const field each : *this) {
            if (syntax::equal(each.name, name) &&
                !syntax::each_element(each.value, [&](std::string_view e) { return !syntax::equal(e, element); })) {
                return true;
            }
        }
        return false;
    }

    class iterator {
    public:
        iterator(const headers& all, std::size_t index) noexcept : all_(&all), index_(index) {}
        field operator*() const noexcept { return (*all_)[index_]; }
        iterator& operator++() noexcept {
            ++index_;
            return *this;
        }
        friend bool operator==(const iterator&, const iterator&) = default;

    private:
        const headers* all_;
        std::size_t index_;
    };
    iterator begin() const noexcept { return {*this, 0}; }
    iterator end() const noexcept { return {*this, size()}; }

    /// The same fields in the same order, written in the same way.
    friend bool operator==(const headers& a, const headers& b) noexcept {
        return std::equal(a.places_.begin(), a.places_.end(), b.places_.begin(), b.places_.end(),
                          [&](const place& x, const place& y) { return a.get(x) == b.get(y); });
    }

private:
    struct place {
        std::size_t name, value, end;
    };

    field get(const place& at) const noexcept {
        const std::string_view all = text_;
        return {all.substr(at.name, at.value - at.name), all.substr(at.value, at.end - at.value)};
    }

    std::string text_;
    std::vector<place> places_;
};

} // namespace http
