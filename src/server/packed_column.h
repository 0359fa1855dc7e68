#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace tw::server {

/// Integers that stay near each other for a while (prices, equity, times), kept as differences from
/// the smallest of each 256, in as few bytes as the largest of those needs; none where all are
/// equal. Exact for any values. Immutable; const calls are safe together.
class PackedColumn {
 public:
  PackedColumn() = default;

  /// `value(i)` for i in [0, size), ascending and each once.
  template <class Value>
  static PackedColumn Of(std::size_t size, Value&& value) {
    PackedColumn column;
    column.size_ = size;
    column.blocks_.reserve((size + kBlock - 1) / kBlock);
    std::vector<std::int64_t> block;
    block.reserve(kBlock);
    for (std::size_t begin = 0; begin < size; begin += kBlock) {
      block.clear();
      for (std::size_t i = begin; i < size && i < begin + kBlock; ++i) block.push_back(value(i));
      column.Append(block);
    }
    // Block by block it has grown in steps; what is kept has no room to spare.
    column.bytes_.shrink_to_fit();
    return column;
  }

  std::size_t size() const { return size_; }

  std::int64_t operator[](std::size_t i) const {
    const Block& block = blocks_[i / kBlock];
    std::uint64_t offset = 0;
    const std::uint8_t* at = bytes_.data() + block.start + (i % kBlock) * block.width;
    switch (block.width) {
      case 0:
        break;
      case 1:
        offset = *at;
        break;
      case 2:
        offset = Load<std::uint16_t>(at);
        break;
      case 4:
        offset = Load<std::uint32_t>(at);
        break;
      default:
        offset = Load<std::uint64_t>(at);
    }
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(block.base) + offset);
  }

  /// First i with (*this)[i] >= value, of an ascending column; size() without one.
  std::size_t LowerBound(std::int64_t value) const {
    std::size_t begin = 0;
    std::size_t end = size_;
    while (begin < end) {
      const std::size_t middle = begin + (end - begin) / 2;
      if ((*this)[middle] < value) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  }

  /// Memory that it holds.
  std::int64_t bytes() const {
    return static_cast<std::int64_t>(bytes_.capacity() + blocks_.capacity() * sizeof(Block));
  }

 private:
  static constexpr std::size_t kBlock = 256;

  struct Block {
    std::int64_t base = 0;
    std::uint64_t start : 56 = 0;  // in bytes_
    std::uint64_t width : 8 = 0;   // bytes a value: 0, 1, 2, 4 or 8
  };

  template <class T>
  static T Load(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  void Append(std::span<const std::int64_t> values);

  std::size_t size_ = 0;
  std::vector<Block> blocks_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace tw::server
