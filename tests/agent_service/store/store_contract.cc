#include "tests/agent_service/store/store_contract.h"

#include <future>
#include <utility>

namespace holdfast::agent {

StoreContract::StoreContract()
    : store_(GetParam().make(directory_.path(),
                             [this](absl::AnyInvocable<void()> task) { executor_.Post(std::move(task)); })),
      calls_(store_.get()) {
  std::promise<std::thread::id> id;
  executor_.Post([&id] { id.set_value(std::this_thread::get_id()); });
  executor_thread_ = id.get_future().get();
}

}  // namespace holdfast::agent
