#include "client.h"

#include <pthread.h>

#include <chrono>
#include <csignal>
#include <cstdio>

namespace headrace {

namespace {

constexpr size_t kMaxLogLines = 256;
// An environment that ends waits this long for a client to end; a client that needs longer is left to the end of the process.
constexpr auto kAbruptEnd = std::chrono::seconds(2);

}  // namespace

ClientError ToError(rd_kafka_resp_err_t code) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return {code, false, rd_kafka_err2str(code)};
}

ClientError TakeError(rd_kafka_error_t* error) {
  if (error == nullptr) return {};
  ClientError taken = {rd_kafka_error_code(error), rd_kafka_error_is_fatal(error) != 0, rd_kafka_error_string(error)};
  rd_kafka_error_destroy(error);
  return taken;
}

void Client::Start(napi_env env, napi_value wake, bool keep_logs) {
  keep_logs_ = keep_logs;
  wake_.Open(env, wake);
  // Signals are for node's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread(Main, shared_from_this());
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    wake_.Close();
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  keep_ = shared_from_this();
  Check(env, napi_add_env_cleanup_hook(env, OnEnvironmentCleanup, this));
}

void Client::Main(std::shared_ptr<Client> self) {
#ifdef __linux__
  pthread_setname_np(pthread_self(), "headrace");
#endif
  self->Run();
  {
    std::lock_guard<std::mutex> lock(self->end_mutex_);
    self->ended_ = true;
  }
  self->end_.notify_all();
  self->wake_.Ring();
}

bool Client::Reap(napi_env env) {
  if (reaped_) return true;
  {
    std::lock_guard<std::mutex> lock(end_mutex_);
    if (!ended_) return false;
  }
  Join();
  wake_.Close();
  reaped_ = true;
  Check(env, napi_remove_env_cleanup_hook(env, OnEnvironmentCleanup, this));
  keep_.reset();
  return true;
}

void Client::OnEnvironmentCleanup(void* self) {
  const std::shared_ptr<Client> client = std::move(static_cast<Client*>(self)->keep_);
  client->wake_.Close();
  client->Abort();
  {
    std::unique_lock<std::mutex> lock(client->end_mutex_);
    client->end_.wait_for(lock, kAbruptEnd, [&client] { return client->ended_; });
  }
  client->Leave();
}

void Client::Abandon(napi_env env) {
  if (reaped_) return;
  wake_.Close();
  Abort();
  Check(env, napi_remove_env_cleanup_hook(env, OnEnvironmentCleanup, this));
  const std::shared_ptr<Client> self = std::move(keep_);
  Leave();
}

void Client::Leave() {
  reaped_ = true;
  bool ended;
  {
    std::lock_guard<std::mutex> lock(end_mutex_);
    ended = ended_;
  }
  // The thread holds a reference of its own, so it may outlive the handle.
  if (ended) {
    Join();
  } else {
    thread_.detach();
  }
}

void Client::Join() {
  if (thread_.joinable()) thread_.join();
}

void Client::Configure(rd_kafka_conf_t* conf) {
  rd_kafka_conf_set_opaque(conf, this);
  rd_kafka_conf_set_log_cb(conf, OnLog);
}

void Client::Destroy(int flags) {
  rd_kafka_t* rk = nullptr;
  {
    std::lock_guard<std::mutex> lock(gate_);
    std::swap(rk, rk_);
  }
  if (rk != nullptr) rd_kafka_destroy_flags(rk, flags);
}

void Client::OnLog(const rd_kafka_t* rk, int level, const char* facility, const char* text) {
  auto* client = static_cast<Client*>(rd_kafka_opaque(rk));
  if (client != nullptr) client->Log(level, std::string(facility) + ": " + text);
}

void Client::Log(int level, const std::string& text) {
  if (!keep_logs_) return;
  {
    std::lock_guard<std::mutex> lock(logs_mutex_);
    if (logs_.size() == kMaxLogLines) logs_.pop_front();
    logs_.push_back({level, text});
  }
  wake_.Ring();
}

std::vector<LogLine> Client::TakeLogs() {
  std::lock_guard<std::mutex> lock(logs_mutex_);
  std::vector<LogLine> lines(logs_.begin(), logs_.end());
  logs_.clear();
  return lines;
}

rd_kafka_conf_t* ToConf(const std::vector<std::string>& pairs, const std::vector<std::string>& forced) {
  if (pairs.size() % 2 != 0) throw JsError{"ERR_INVALID_ARG_VALUE", "the configuration must be names and values in turn"};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[512];
  for (const auto* list : {&pairs, &forced}) {
    for (size_t i = 0; i + 1 < list->size(); i += 2) {
      if (rd_kafka_conf_set(conf, (*list)[i].c_str(), (*list)[i + 1].c_str(), error, sizeof error) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        throw JsError{"ERR_CONFIG", error};
      }
    }
  }
  return conf;
}

napi_value ToHandle(napi_env env, std::shared_ptr<Client> client, const napi_type_tag& tag) {
  auto* box = new std::shared_ptr<Client>(std::move(client));
  napi_value handle;
  const napi_status status = napi_create_external(
      env, box, [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Client>*>(data); }, nullptr, &handle);
  if (status != napi_ok) delete box;
  Check(env, status);
  Check(env, napi_type_tag_object(env, handle, &tag));
  return handle;
}

Client* FromHandle(const Call& call, size_t index, const napi_type_tag& tag) {
  napi_valuetype type;
  Check(call.env(), napi_typeof(call.env(), call.At(index), &type));
  bool matches = false;
  if (type == napi_external) Check(call.env(), napi_check_object_type_tag(call.env(), call.At(index), &tag, &matches));
  if (!matches) throw JsError{"ERR_INVALID_ARG_TYPE", "argument " + std::to_string(index) + " is not such a client"};
  void* box = nullptr;
  Check(call.env(), napi_get_value_external(call.env(), call.At(index), &box));
  return static_cast<std::shared_ptr<Client>*>(box)->get();
}

napi_value ToJs(napi_env env, const std::vector<LogLine>& lines) {
  std::vector<napi_value> values;
  for (const LogLine& line : lines) {
    values.push_back(Array(env, {ToJs(env, static_cast<double>(line.level)), ToJs(env, line.text)}));
  }
  return Array(env, values);
}

napi_value ToJs(napi_env env, const ClientError& error) {
  return Array(env, {ToJs(env, static_cast<double>(error.code)), ToJs(env, error.fatal), ToJs(env, error.message)});
}

}  // namespace headrace
