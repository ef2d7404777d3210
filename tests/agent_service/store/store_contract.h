#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>

#include "agent_service/store/executor.h"
#include "agent_service/store/store.h"
#include "common/sqlite/task_thread.h"
#include "tests/agent_service/store/store_calls.h"
#include "tests/agent_service/store/temporary_directory.h"

namespace holdfast::agent {

// What every implementation of Store passes:
//   INSTANTIATE_TEST_SUITE_P(Name, StoreContract, ::testing::Values(StoreMaker{...}), StoreMaker::Name);
struct StoreMaker {
  std::string name;
  // An empty store. The folder is empty, and lives as long as the store.
  std::function<std::unique_ptr<Store>(const std::filesystem::path& folder, Executor executor)> make;

  static std::string Name(const ::testing::TestParamInfo<StoreMaker>& info) { return info.param.name; }
};
inline void PrintTo(const StoreMaker& maker, std::ostream* out) { *out << maker.name; }

class StoreContract : public ::testing::TestWithParam<StoreMaker> {
 protected:
  StoreContract();

  Store& store() { return *store_; }
  StoreCalls& calls() { return calls_; }
  // Of the executor.
  std::thread::id executor_thread() const { return executor_thread_; }

 private:
  TemporaryDirectory directory_;
  TaskThread executor_;
  std::thread::id executor_thread_;
  std::unique_ptr<Store> store_;
  StoreCalls calls_;
};

}  // namespace holdfast::agent
