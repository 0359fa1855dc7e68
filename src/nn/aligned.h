#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace tw::nn {

/// Memory on cache-line borders, so that the kernels' vectors never straddle two lines.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::size_t kAlignment = 64;

  AlignedAllocator() = default;

  template <class U>
  AlignedAllocator(const AlignedAllocator<U>& /*other*/) {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{kAlignment}));
  }

  void deallocate(T* pointer, std::size_t /*count*/) {
    ::operator delete (pointer, std::align_val_t{kAlignment});
  }

  template <class U>
  bool operator==(const AlignedAllocator<U>& /*other*/) const {
    return true;
  }
};

using FloatVector = std::vector<float, AlignedAllocator<float>>;

}  // namespace tw::nn
