// What producer and consumer share: a librdkafka client served by one thread of ours, from opening to its orderly or abrupt end.
//
// Locks, in this order: `gate_` (whoever calls into librdkafka from JavaScript's thread, and whoever takes the client away), then
// `mutex_` of the derived class (its data). librdkafka's callbacks take only the latter; nobody calls librdkafka while holding it.
#pragma once

#include <librdkafka/rdkafka.h>
#include <node_api.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "js.h"
#include "wake.h"

namespace headrace {

// An error of librdkafka as JavaScript gets it.
struct ClientError {
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  bool fatal = false;
  std::string message;
};

// No error for code 0.
ClientError ToError(rd_kafka_resp_err_t code);
// Frees `error`, if there is one.
ClientError TakeError(rd_kafka_error_t* error);

struct LogLine {
  int level;
  std::string text;
};

class Client : public std::enable_shared_from_this<Client> {
 public:
  Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  virtual ~Client() = default;

  // JavaScript's thread. Starts the thread; `keep_logs`: log lines are kept for TakeLogs, otherwise dropped.
  void Start(napi_env env, napi_value wake, bool keep_logs);

  // JavaScript's thread: true once the thread has ended and everything is freed. Call it when woken after the close was asked for.
  bool Reap(napi_env env);

  // JavaScript's thread: leaves the end to the thread; nothing more is heard of it. Freeing a client can take librdkafka a minute while
  // its coordinator is away.
  void Abandon(napi_env env);

  std::vector<LogLine> TakeLogs();

  // JavaScript's thread: the OAUTHBEARER token from now on, until `expires_ms` (since the epoch). Extensions: names and values in turn.
  // Throws JsError with librdkafka's words if it is not acceptable.
  void SetToken(const std::string& value, int64_t expires_ms, const std::string& principal, const std::vector<std::string>& extensions);
  // JavaScript's thread: there is no token; the reason comes back as an error of the client.
  void FailToken(const std::string& reason);

 protected:
  // The thread's work, until it was told to stop; then frees the client with Destroy.
  virtual void Run() = 0;
  // Any thread: end soon, without any courtesy to brokers or to JavaScript.
  virtual void Abort() = 0;

  // Sets the callbacks that every client has.
  void Configure(rd_kafka_conf_t* conf);
  // The client's thread: takes rk_ away under the gate and frees it.
  void Destroy(int flags);
  void Log(int level, const std::string& text);

  std::mutex gate_;
  rd_kafka_t* rk_ = nullptr;
  Wake wake_;

 private:
  static void OnLog(const rd_kafka_t* rk, int level, const char* facility, const char* text);
  static void OnEnvironmentCleanup(void* self);
  static void Main(std::shared_ptr<Client> self);
  void Leave();
  void Join();

  std::shared_ptr<Client> keep_;  // Itself, until it is reaped: a handle that was dropped ends nothing.
  std::thread thread_;
  std::mutex end_mutex_;
  std::condition_variable end_;
  bool ended_ = false;
  bool reaped_ = false;
  bool keep_logs_ = false;
  std::mutex logs_mutex_;
  std::deque<LogLine> logs_;
};

// A new configuration from [name, value, name, value, …], then `forced` in the same form. Throws JsError with librdkafka's words.
rd_kafka_conf_t* ToConf(const std::vector<std::string>& pairs, const std::vector<std::string>& forced);

// Handles: a shared_ptr in an External that carries the type's tag.
napi_value ToHandle(napi_env env, std::shared_ptr<Client> client, const napi_type_tag& tag);
Client* FromHandle(const Call& call, size_t index, const napi_type_tag& tag);

// Doors of both clients: (handle, value, expiresMs, principal, extensions) and (handle, reason).
napi_value SetToken(const Call& call, Client* client);
napi_value FailToken(const Call& call, Client* client);

// [[level, text], …]
napi_value ToJs(napi_env env, const std::vector<LogLine>& lines);
// [code, fatal, message]
napi_value ToJs(napi_env env, const ClientError& error);

}  // namespace headrace
