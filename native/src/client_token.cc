// OAUTHBEARER tokens, which JavaScript gets and renews.
#include "client.h"

namespace headrace {

namespace {

constexpr int64_t kLatest = 9007199254740991;

}  // namespace

void Client::SetToken(const std::string& value, int64_t expires_ms, const std::string& principal,
                      const std::vector<std::string>& extensions) {
  std::lock_guard<std::mutex> gate(gate_);
  if (rk_ == nullptr) return;
  std::vector<const char*> pairs;
  for (const std::string& text : extensions) pairs.push_back(text.c_str());
  char error[512];
  const rd_kafka_resp_err_t code = rd_kafka_oauthbearer_set_token(rk_, value.c_str(), expires_ms, principal.c_str(), pairs.data(),
                                                                  pairs.size(), error, sizeof error);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) throw JsError{"ERR_TOKEN", error};
}

void Client::FailToken(const std::string& reason) {
  std::lock_guard<std::mutex> gate(gate_);
  if (rk_ != nullptr) rd_kafka_oauthbearer_set_token_failure(rk_, reason.c_str());
}

napi_value SetToken(const Call& call, Client* client) {
  client->SetToken(call.String(1), call.Integer(2, 0, kLatest), call.String(3), call.Strings(4));
  return Undefined(call.env());
}

napi_value FailToken(const Call& call, Client* client) {
  client->FailToken(call.String(1));
  return Undefined(call.env());
}

}  // namespace headrace
