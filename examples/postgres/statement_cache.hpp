// examples/postgres/statement_cache.hpp — which statements a connection has seen, and prepared.
// SPDX-License-Identifier: MIT
#pragma once

#include "client.hpp"

#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pg {

/// The statements that were executed last. All is O(1).
class connection::statement_cache {
public:
    /// The prepared statement.
    std::optional<statement> find(const std::string& sql) {
        const auto at = places_.find(sql);
        if (at == places_.end()) {
            return std::nullopt;
        }
        entries_.splice(entries_.begin(), entries_, at->second);
        return at->second->prepared;
    }
    /// Whether it is not executed for the first time. From now on it is not.
    bool came_before(const std::string& sql) {
        if (places_.contains(sql)) {
            return true;
        }
        if (sql.size() > longest) {
            return false;
        }
        entries_.push_front({sql, std::nullopt});
        places_.emplace(entries_.front().sql, entries_.begin());
        if (entries_.size() > most) {
            places_.erase(entries_.back().sql);
            entries_.pop_back();
        }
        return false;
    }
    void keep(const std::string& sql, const statement& prepared) {
        if (const auto at = places_.find(sql); at != places_.end()) {
            at->second->prepared = prepared;
        }
    }
    void forget(const std::string& sql) {
        if (const auto at = places_.find(sql); at != places_.end()) {
            const auto gone = at->second;
            places_.erase(at);
            entries_.erase(gone);
        }
    }

private:
    static constexpr std::size_t most = 128, longest = 16384;
    struct entry {
        std::string sql;
        std::optional<statement> prepared;
    };
    std::list<entry> entries_; // the last used one first
    std::unordered_map<std::string_view, std::list<entry>::iterator> places_;
};

} // namespace pg
