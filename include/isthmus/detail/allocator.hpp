// isthmus/detail/allocator.hpp — chooses a coroutine's promise: its frame from the cache, or from the allocator that
// follows std::allocator_arg among the coroutine function's parameters.
// SPDX-License-Identifier: MIT
#pragma once

#include "promise.hpp"

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <new>
#include <tuple>

namespace isthmus::inline v1::detail {

/// Frames from the recycling cache of the thread.
struct recycled_frames {
    static void* operator new(std::size_t size) { return frame_cache::allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { frame_cache::deallocate(memory, size); }
};

template <class Allocator>
struct frame_allocator {
    struct alignas(std::max_align_t) unit {
        std::byte bytes[alignof(std::max_align_t)];
    };
    using type = typename std::allocator_traits<Allocator>::template rebind_alloc<unit>;
};
/// std::pmr::polymorphic_allocator, for a std::pmr::memory_resource and what has the same functions: whoever has none
/// need not include the header.
template <class T, class Resource>
class resource_allocator {
public:
    using value_type = T;
    resource_allocator(Resource* from) noexcept : resource_(from) {}

    T* allocate(std::size_t count) { return static_cast<T*>(resource_->allocate(count * sizeof(T), alignof(T))); }
    void deallocate(T* memory, std::size_t count) noexcept {
        resource_->deallocate(memory, count * sizeof(T), alignof(T));
    }

private:
    Resource* resource_;
};
template <class Resource>
concept memory_resource = requires(Resource& resource, void* memory, std::size_t size) {
    { resource.allocate(size, size) } -> std::same_as<void*>;
    resource.deallocate(memory, size, size);
};
template <memory_resource Resource>
struct frame_allocator<Resource*> {
    using type = resource_allocator<frame_allocator<std::allocator<char>>::unit, Resource>;
};

/// Frames from the user's allocator, parameter number `Index`, of which a copy is kept behind the frame. The parameters
/// are the class's and not operator new's own, and nothing is inlined: g++ takes a template for a mismatch of new and
/// delete, and so it does if it sees one of the two inlined and the other not.
template <class Allocator, std::size_t Index, class... Parameters>
struct allocated_frames {
    using allocator = typename frame_allocator<Allocator>::type;
    using traits = std::allocator_traits<allocator>;
    using unit = typename traits::value_type;
    static_assert(std::is_same_v<typename traits::pointer, unit*>,
                  "isthmus: an allocator for coroutine frames must use plain pointers");
    static_assert(alignof(allocator) <= alignof(unit), "isthmus: this allocator object is over-aligned");

    static constexpr std::size_t units(std::size_t bytes) { return (bytes + sizeof(unit) - 1) / sizeof(unit); }
    static std::size_t total(std::size_t size) { return units(size) + units(sizeof(allocator)); }

    ISTHMUS_NOINLINE static void* operator new(std::size_t size,
                                               const std::remove_reference_t<Parameters>&... parameters) {
        return allocate(size, std::get<Index>(std::tie(parameters...)));
    }
    ISTHMUS_NOINLINE static void operator delete(void* memory, std::size_t size) noexcept {
        unit* const frame_units = static_cast<unit*>(memory);
        auto* const kept = std::launder(reinterpret_cast<allocator*>(frame_units + units(size)));
        allocator own(std::move(*kept));
        kept->~allocator();
        traits::deallocate(own, frame_units, total(size));
    }

protected:
    static void* allocate(std::size_t size, const Allocator& given) {
        allocator own(given);
        unit* const memory = traits::allocate(own, total(size));
        ::new (static_cast<void*>(memory + units(size))) allocator(std::move(own));
        return memory;
    }
};

/// The same for a member function, whose object comes first; clang leaves that out if it is a lambda's closure.
template <class Allocator, class This, class... Parameters>
struct allocated_member_frames : allocated_frames<Allocator, 2, This, Parameters...> {
    using allocated_frames<Allocator, 2, This, Parameters...>::operator new;
    ISTHMUS_NOINLINE static void* operator new(std::size_t size,
                                               const std::remove_reference_t<Parameters>&... parameters) {
        return allocated_member_frames::allocate(size, std::get<1>(std::tie(parameters...)));
    }
};

/// The allocation that the parameters of a coroutine function (and of a member, its object before them) ask for.
template <class... Parameters>
struct allocation {
    using type = recycled_frames;
};
template <class Tag, class Allocator, class... Rest>
    requires std::is_same_v<std::remove_cvref_t<Tag>, std::allocator_arg_t>
struct allocation<Tag, Allocator, Rest...> {
    using type = allocated_frames<std::remove_cvref_t<Allocator>, 1, Tag, Allocator, Rest...>;
};
template <class This, class Tag, class Allocator, class... Rest>
    requires(std::is_same_v<std::remove_cvref_t<Tag>, std::allocator_arg_t> &&
             !std::is_same_v<std::remove_cvref_t<This>, std::allocator_arg_t>)
struct allocation<This, Tag, Allocator, Rest...> {
    using type = allocated_member_frames<std::remove_cvref_t<Allocator>, This, Tag, Allocator, Rest...>;
};

/// The promise of a function that returns an Object, whose body may do what Body allows.
template <class Object, class Body, class Allocation, bool Borrows>
class promise final : public Body, public Allocation {
public:
    Object get_return_object(std::source_location function = std::source_location::current()) noexcept {
        static_assert(alignof(promise) <= 2 * sizeof(void*), "frame::handle() counts on that");
        this->where = function;
        if constexpr (Borrows) {
            this->borrows = true;
        }
        return Object(*this);
    }
};

} // namespace isthmus::inline v1::detail
