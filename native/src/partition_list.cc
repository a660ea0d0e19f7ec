#include "partition_list.h"

#include <algorithm>

namespace headrace {

PartitionList ToList(const std::vector<Position>& positions) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(std::max<size_t>(positions.size(), 1))));
  for (const Position& position : positions) {
    rd_kafka_topic_partition_list_add(list.get(), position.topic.c_str(), position.partition)->offset = position.offset;
  }
  return list;
}

std::vector<Position> ToPositions(const rd_kafka_topic_partition_list_t* list) {
  std::vector<Position> positions;
  for (int i = 0; list != nullptr && i < list->cnt; i++) {
    positions.push_back({list->elems[i].topic, list->elems[i].partition, list->elems[i].offset});
  }
  return positions;
}

rd_kafka_resp_err_t FirstError(const rd_kafka_topic_partition_list_t* list) {
  for (int i = 0; list != nullptr && i < list->cnt; i++) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return list->elems[i].err;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace headrace
