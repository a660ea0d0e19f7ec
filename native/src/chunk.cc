#include "chunk.h"

#include <algorithm>
#include <cstring>

#include "js.h"

namespace headrace {

Field FieldAt(const Chunk& chunk, const int32_t* range) {
  if (range[0] == -1) return {nullptr, 0};
  if (range[0] < 0 || range[1] < range[0] || static_cast<size_t>(range[1]) > chunk.data_length) {
    throw JsError{"ERR_OUT_OF_RANGE", "a record's range lies outside of its buffer"};
  }
  // Empty is not null: any address that is not null does.
  static uint8_t empty = 0;
  if (range[0] == range[1]) return {&empty, 0};
  return {const_cast<uint8_t*>(chunk.data) + range[0], static_cast<size_t>(range[1] - range[0])};
}

Headers HeadersOf(const Field& field) {
  if (field.data == nullptr) return nullptr;
  Headers headers(rd_kafka_headers_new(4));
  const auto* at = static_cast<const uint8_t*>(field.data);
  const uint8_t* const end = at + field.length;
  const auto length = [&at, end](int32_t min) {
    int32_t value = 0;
    if (end - at < 4) throw JsError{"ERR_OUT_OF_RANGE", "a record's headers are cut off"};
    memcpy(&value, at, 4);
    at += 4;
    if (value < min || value > end - at) throw JsError{"ERR_OUT_OF_RANGE", "a record's header lies outside of its buffer"};
    return value;
  };
  while (at < end) {
    const int32_t name_length = length(0);
    const auto* name = reinterpret_cast<const char*>(at);
    at += name_length;
    const int32_t value_length = length(-1);
    // A length of 0 for the name would mean "count it yourself" only if it were -1.
    const rd_kafka_resp_err_t error =
        rd_kafka_header_add(headers.get(), name, name_length, value_length == -1 ? nullptr : at, std::max(value_length, 0));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw JsError{"ERR_NATIVE", rd_kafka_err2str(error)};
    at += std::max(value_length, 0);
  }
  return headers;
}

}  // namespace headrace
