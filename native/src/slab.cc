#include "slab.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#include "js.h"

namespace headrace {

namespace {

constexpr size_t kFirstBytes = 256 * 1024;
constexpr size_t kBytesPerRecord = 8 + 8 + 3 * 8 + 4 + 4;

}  // namespace

Region::Region(size_t size) : data_(static_cast<uint8_t*>(malloc(size))), size_(size) {
  if (data_ == nullptr) throw std::bad_alloc();
}

Region::~Region() { free(data_); }

Slab::Slab(size_t capacity)
    : capacity_(capacity),
      data_(std::make_shared<Region>(kFirstBytes)),
      columns_(std::make_shared<Region>(capacity * kBytesPerRecord)) {
  uint8_t* at = columns_->data();
  const auto column = [&at, capacity](size_t bytes) {
    uint8_t* start = at;
    at += bytes * capacity;
    return start;
  };
  offsets_ = reinterpret_cast<int64_t*>(column(8));
  timestamps_ = reinterpret_cast<double*>(column(8));
  keys_ = reinterpret_cast<int32_t*>(column(8));
  values_ = reinterpret_cast<int32_t*>(column(8));
  headers_ = reinterpret_cast<int32_t*>(column(8));
  topics_ = reinterpret_cast<uint32_t*>(column(4));
  partitions_ = reinterpret_cast<int32_t*>(column(4));
}

void Slab::Clear(size_t usual) {
  count_ = 0;
  used_ = 0;
  if (data_->size() > std::max(2 * usual, kFirstBytes)) data_ = std::make_shared<Region>(kFirstBytes);
}

int32_t Slab::Put(const void* bytes, size_t length) {
  const size_t needed = used_ + length;
  if (needed > INT32_MAX) throw std::length_error("a batch is larger than 2 GiB");
  if (needed > data_->size()) {
    // The old memory may still be JavaScript's, from the last time; it is not touched.
    auto larger = std::make_shared<Region>(std::max(needed, std::min<size_t>(data_->size() * 2, INT32_MAX)));
    if (used_ > 0) memcpy(larger->data(), data_->data(), used_);
    data_ = std::move(larger);
  }
  if (length > 0) memcpy(data_->data() + used_, bytes, length);
  used_ = needed;
  return static_cast<int32_t>(used_);
}

void Slab::PutLength(int32_t length) { Put(&length, sizeof length); }

void Slab::Append(const Record& record) {
  const size_t i = count_;
  const auto range = [this](int32_t* column, const void* bytes, size_t length) {
    column[0] = bytes == nullptr ? -1 : static_cast<int32_t>(used_);
    column[1] = bytes == nullptr ? -1 : Put(bytes, length);
  };
  range(keys_ + 2 * i, record.key, record.key_length);
  range(values_ + 2 * i, record.value, record.value_length);
  headers_[2 * i] = -1;
  headers_[2 * i + 1] = -1;
  offsets_[i] = record.offset;
  timestamps_[i] = record.timestamp;
  topics_[i] = record.topic;
  partitions_[i] = record.partition;
  count_++;
}

void Slab::StartHeaders() {
  headers_[2 * (count_ - 1)] = static_cast<int32_t>(used_);
  headers_[2 * (count_ - 1) + 1] = static_cast<int32_t>(used_);
}

void Slab::AddHeader(const char* name, const void* value, size_t value_length) {
  const size_t name_length = strlen(name);
  PutLength(static_cast<int32_t>(name_length));
  Put(name, name_length);
  PutLength(value == nullptr ? -1 : static_cast<int32_t>(value_length));
  const int32_t end = value == nullptr ? static_cast<int32_t>(used_) : Put(value, value_length);
  headers_[2 * (count_ - 1) + 1] = end;
}

void Slab::Drop(const std::function<bool(uint64_t, int64_t)>& drop) {
  size_t kept = 0;
  for (size_t i = 0; i < count_; i++) {
    if (drop(PartitionKey(topics_[i], partitions_[i]), offsets_[i])) continue;
    if (kept < i) {
      memcpy(keys_ + 2 * kept, keys_ + 2 * i, 8);
      memcpy(values_ + 2 * kept, values_ + 2 * i, 8);
      memcpy(headers_ + 2 * kept, headers_ + 2 * i, 8);
      offsets_[kept] = offsets_[i];
      timestamps_[kept] = timestamps_[i];
      topics_[kept] = topics_[i];
      partitions_[kept] = partitions_[i];
    }
    kept++;
  }
  count_ = kept;
  if (kept == 0) used_ = 0;
}

napi_value Slab::Share(napi_env env, const std::shared_ptr<Region>& region, Shared& shared) {
  napi_value buffer;
  if (shared.buffer != nullptr && shared.region == region) {
    Check(env, napi_get_reference_value(env, shared.buffer, &buffer));
    return buffer;
  }
  if (shared.buffer != nullptr) {
    napi_delete_reference(env, shared.buffer);
    shared.buffer = nullptr;
  }
  // The ArrayBuffer owns a share of the memory, so that a view that was kept too long reads stale bytes, never freed ones.
  auto* share = new std::shared_ptr<Region>(region);
  const napi_status status = napi_create_external_arraybuffer(
      env, region->data(), region->size(),
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Region>*>(hint); }, share, &buffer);
  if (status != napi_ok) delete share;
  Check(env, status);
  Check(env, napi_create_reference(env, buffer, 1, &shared.buffer));
  shared.region = region;
  return buffer;
}

napi_value Slab::DataBuffer(napi_env env) { return Share(env, data_, shared_data_); }

napi_value Slab::ColumnsBuffer(napi_env env) { return Share(env, columns_, shared_columns_); }

void Slab::ReleaseBuffers(napi_env env) {
  for (Shared* shared : {&shared_data_, &shared_columns_}) {
    if (shared->buffer != nullptr) napi_delete_reference(env, shared->buffer);
    shared->buffer = nullptr;
  }
}

}  // namespace headrace
