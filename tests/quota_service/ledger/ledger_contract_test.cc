#include "tests/quota_service/ledger/ledger_contract.h"

#include "quota_service/ledger/in_process_ledger.h"
#include "tests/fakes/fake_ledger.h"

namespace holdfast::quota {
namespace {

constexpr Duration kFakeDelay = std::chrono::milliseconds(50);

std::unique_ptr<Ledger> MakeInProcess(Loop& loop, std::vector<LimitGroupOptions> groups, TenantPolicy tenants) {
  return std::make_unique<InProcessLedger>(loop, std::move(groups), std::move(tenants));
}
std::unique_ptr<Ledger> MakeFake(Loop& loop, std::vector<LimitGroupOptions> groups, TenantPolicy tenants) {
  return std::make_unique<FakeLedger>(loop, std::move(groups), kFakeDelay, std::move(tenants));
}

INSTANTIATE_TEST_SUITE_P(InProcess, LedgerContract,
                         ::testing::Values(LedgerMaker{"InProcessLedger", MakeInProcess, Duration::zero()}),
                         LedgerMaker::Name);
INSTANTIATE_TEST_SUITE_P(Fake, LedgerContract, ::testing::Values(LedgerMaker{"FakeLedger", MakeFake, kFakeDelay}),
                         LedgerMaker::Name);

}  // namespace
}  // namespace holdfast::quota
