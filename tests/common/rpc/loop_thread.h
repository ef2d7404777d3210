#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>
#include <utility>

#include "common/loop/asio_loop.h"

namespace holdfast {

// A real loop on a thread of its own. At its end everything that was posted runs first.
class LoopThread {
 public:
  LoopThread() : thread_([this] { context_.run(); }) {}
  ~LoopThread() {
    work_.reset();
    thread_.join();
  }

  Loop& loop() { return loop_; }
  bool IsThisThread() const { return std::this_thread::get_id() == thread_.get_id(); }
  // Runs `task` on the loop and waits for it.
  template <typename Task>
  auto Run(Task task) {
    std::packaged_task<decltype(task())()> packaged(std::move(task));
    auto result = packaged.get_future();
    loop_.Post(std::move(packaged));
    return result.get();
  }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  AsioLoop loop_{context_};
  std::thread thread_;
};

}  // namespace holdfast
