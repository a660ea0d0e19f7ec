// Records as JavaScript hands them over: encoded into one buffer and columns.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace headrace {

// A chunk of encoded records. Record i is kFields numbers of `columns` and one of `timestamps`:
//   [topic handle][partition or -1][key start][key end][value start][value end][headers start][headers end]
// in bytes of `data`, start -1 for null; a timestamp of 0 is now. Headers: [name length:int32][name][value length:int32, -1 null][value] …
struct Chunk {
  static constexpr size_t kFields = 8;
  const uint8_t* data;
  size_t data_length;
  const int32_t* columns;
  const double* timestamps;
  size_t count;
};

// A field of the chunk: null, or a range within `data`.
struct Field {
  void* data;
  size_t length;
};

// Throws JsError if the range lies outside of the chunk's data.
Field FieldAt(const Chunk& chunk, const int32_t* range);

struct HeadersDeleter {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using Headers = std::unique_ptr<rd_kafka_headers_t, HeadersDeleter>;

// Decodes a headers field; null for a null field. Throws JsError if it is malformed.
Headers HeadersOf(const Field& field);

}  // namespace headrace
