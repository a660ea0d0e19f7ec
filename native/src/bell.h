// Lets one thread sleep until something happened; a ring while it is awake is not lost.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace headrace {

class Bell {
 public:
  void Ring() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      rung_ = true;
    }
    condition_.notify_one();
  }

  void Wait(std::chrono::milliseconds most) {
    std::unique_lock<std::mutex> lock(mutex_);
    condition_.wait_for(lock, most, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

}  // namespace headrace
