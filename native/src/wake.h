// Wakes JavaScript from any thread by calling one function without arguments. Calls that were not served yet count as one.
#pragma once

#include <node_api.h>

#include <mutex>

namespace headrace {

class Wake {
 public:
  Wake() = default;
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  // JavaScript's thread only. Keeps the event loop alive until Close.
  void Open(napi_env env, napi_value function);
  void Close();

  // Any thread; nothing after Close.
  void Ring();

 private:
  static void Serve(napi_env env, napi_value function, void* context, void* data);

  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
  bool pending_ = false;
};

}  // namespace headrace
