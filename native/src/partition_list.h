// Positions, as librdkafka's lists and back.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace headrace {

struct Position {
  std::string topic;
  int32_t partition;
  int64_t offset;
};

struct PartitionListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, PartitionListDeleter>;

PartitionList ToList(const std::vector<Position>& positions);
std::vector<Position> ToPositions(const rd_kafka_topic_partition_list_t* list);
// The first error of a partition in the list, or none.
rd_kafka_resp_err_t FirstError(const rd_kafka_topic_partition_list_t* list);

}  // namespace headrace
