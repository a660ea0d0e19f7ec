#include "wake.h"

#include "js.h"

namespace headrace {

void Wake::Open(napi_env env, napi_value function) {
  Check(env, napi_create_threadsafe_function(env, function, nullptr, ToJs(env, std::string("headrace wake")), 0, 1,
                                             nullptr, nullptr, this, Serve, &function_));
}

void Wake::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (function_ == nullptr) return;
  // Aborted, so that a call still under way is not served: its context is this object.
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

void Wake::Ring() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (function_ == nullptr || pending_) return;
  pending_ = napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_ok;
}

void Wake::Serve(napi_env env, napi_value function, void* context, void*) {
  if (env == nullptr) return;  // The environment is going; `context` may be gone.
  auto* wake = static_cast<Wake*>(context);
  {
    std::lock_guard<std::mutex> lock(wake->mutex_);
    wake->pending_ = false;
    if (wake->function_ == nullptr) return;
  }
  napi_value receiver;
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  napi_call_function(env, receiver, function, 0, nullptr, nullptr);
}

}  // namespace headrace
