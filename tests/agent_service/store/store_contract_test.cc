#include "tests/agent_service/store/store_contract.h"

#include "agent_service/store/sqlite_store.h"
#include "tests/agent_service/store/memory_store.h"

namespace holdfast::agent {
namespace {

std::unique_ptr<Store> MakeMemoryStore(const std::filesystem::path&, Executor executor) {
  return std::make_unique<MemoryStore>(std::move(executor));
}

std::unique_ptr<Store> MakeSqliteStore(const std::filesystem::path& folder, Executor executor) {
  auto store = SqliteStore::Open((folder / "sessions.db").string(), std::move(executor));
  if (!store.ok()) {
    ADD_FAILURE() << store.status();
    std::abort();
  }
  return *std::move(store);
}

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, ::testing::Values(StoreMaker{"MemoryStore", MakeMemoryStore}),
                         StoreMaker::Name);
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(StoreMaker{"SqliteStore", MakeSqliteStore}),
                         StoreMaker::Name);

}  // namespace
}  // namespace holdfast::agent
