// The records of one batch, as columns over one piece of memory. Two of them take turns: JavaScript reads one while the other is filled.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace headrace {

// Memory that a JavaScript ArrayBuffer may share.
class Region {
 public:
  explicit Region(size_t size);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_;
  size_t size_;
};

struct Record {
  uint32_t topic;
  int32_t partition;
  int64_t offset;
  double timestamp;
  const void* key;
  size_t key_length;
  const void* value;
  size_t value_length;
};

// Topic (an index) and partition in one number.
inline uint64_t PartitionKey(uint32_t topic, int32_t partition) {
  return (static_cast<uint64_t>(topic) << 32) | static_cast<uint32_t>(partition);
}

class Slab {
 public:
  // Columns for `capacity` records, in this order in one region:
  //   [offset:int64]* [timestamp:float64]* [key start, end:int32]* [value start, end]* [headers start, end]* [topic:uint32]* [partition:int32]*
  explicit Slab(size_t capacity);

  size_t count() const { return count_; }
  size_t used() const { return used_; }
  size_t capacity() const { return capacity_; }

  // Forgets its records; memory far beyond `usual` bytes is given back.
  void Clear(size_t usual);
  // Appends a record without headers.
  void Append(const Record& record);
  // Gives the last record headers: StartHeaders, then AddHeader for each.
  void StartHeaders();
  void AddHeader(const char* name, const void* value, size_t value_length);
  // Takes out the records for which `drop` says so, in order of delivery.
  void Drop(const std::function<bool(uint64_t partition, int64_t offset)>& drop);

  // JavaScript's thread, while it is lent: ArrayBuffers over its memory, kept until the memory is another.
  napi_value DataBuffer(napi_env env);
  napi_value ColumnsBuffer(napi_env env);
  void ReleaseBuffers(napi_env env);

 private:
  struct Shared {
    std::shared_ptr<Region> region;  // Of the ArrayBuffer.
    napi_ref buffer = nullptr;
  };

  static napi_value Share(napi_env env, const std::shared_ptr<Region>& region, Shared& shared);
  int32_t Put(const void* bytes, size_t length);
  void PutLength(int32_t length);

  size_t capacity_;
  size_t count_ = 0;
  size_t used_ = 0;
  std::shared_ptr<Region> data_;
  std::shared_ptr<Region> columns_;
  Shared shared_data_;
  Shared shared_columns_;

  int64_t* offsets_;
  double* timestamps_;
  int32_t* keys_;
  int32_t* values_;
  int32_t* headers_;
  uint32_t* topics_;
  int32_t* partitions_;
};

}  // namespace headrace
