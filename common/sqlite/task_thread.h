#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "absl/functional/any_invocable.h"

namespace holdfast {

// A thread that runs tasks one after another, in order.
class TaskThread {
 public:
  using Task = absl::AnyInvocable<void()>;

  TaskThread();
  // Runs what was posted before, then joins. Nothing may be posted from here on.
  ~TaskThread();
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // Any thread.
  void Post(Task task);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace holdfast
