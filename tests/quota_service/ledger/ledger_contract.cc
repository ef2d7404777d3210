#include "tests/quota_service/ledger/ledger_contract.h"

namespace holdfast::quota {

template <typename Method>
void LedgerContract::Inside(Method method) {
  const bool before = std::exchange(inside_, true);
  method();
  inside_ = before;
}

void LedgerContract::Open(std::vector<LimitSpec> limits, std::optional<int64_t> concurrent) {
  ledger_ = GetParam().make(loop_, {{"a", limits, concurrent}, {"b", limits, concurrent}}, tenants_);
  for (const char* group : {"a", "b"}) {
    RecordingClient first = Client();
    const Ledger::Ticket ticket = Enqueue(first, 0, group);
    Answer();
    ASSERT_EQ(first.granted.size(), 1u);
    Calibrate(ticket, {});
    Settle(ticket, Settlement::kNotSent);
  }
  Answer();
}

Ledger::Ticket LedgerContract::Enqueue(RecordingClient& client, int64_t tokens, const std::string& group) {
  return Enqueue(client, Demand{group, "tenant", "session", tokens});
}

Ledger::Ticket LedgerContract::Enqueue(RecordingClient& client, Demand demand) {
  Ledger::Ticket ticket = 0;
  Inside([&] { ticket = ledger_->Enqueue(std::move(demand), &client); });
  return ticket;
}

void LedgerContract::Cancel(Ledger::Ticket ticket) {
  Inside([&] { ledger_->Cancel(ticket); });
}
void LedgerContract::Renew(Ledger::Ticket ticket) {
  Inside([&] { ledger_->Renew(ticket); });
}
void LedgerContract::Calibrate(Ledger::Ticket ticket, const RateLimitHeaders& headers) {
  Inside([&] { ledger_->Calibrate(ticket, headers); });
}
void LedgerContract::Refuse(Ledger::Ticket ticket, const ServerHint& hint) {
  Inside([&] { ledger_->Refuse(ticket, hint); });
}
void LedgerContract::Requeue(Ledger::Ticket ticket, Settlement settlement) {
  Inside([&] { ledger_->Requeue(ticket, settlement); });
}
void LedgerContract::Settle(Ledger::Ticket ticket, Settlement settlement) {
  Inside([&] { ledger_->Settle(ticket, settlement, std::nullopt); });
}

Headroom LedgerContract::HeadroomFor(int64_t tokens, const std::string& group) {
  std::optional<absl::StatusOr<Headroom>> answer;
  Inside([&] {
    ledger_->GetHeadroom({group, "tenant", "session", tokens}, [&](absl::StatusOr<Headroom> headroom) {
      EXPECT_FALSE(inside_) << "answered from inside the method";
      answer = std::move(headroom);
    });
  });
  Answer();
  if (!answer || !answer->ok()) {
    ADD_FAILURE() << (answer ? answer->status().ToString() : "no answer");
    return {};
  }
  return **answer;
}

std::vector<GroupState> LedgerContract::Groups() {
  std::optional<std::vector<GroupState>> answer;
  Inside([&] {
    ledger_->GetGroups([&](std::vector<GroupState> groups) {
      EXPECT_FALSE(inside_) << "answered from inside the method";
      answer = std::move(groups);
    });
  });
  Answer();
  EXPECT_TRUE(answer);
  return answer.value_or(std::vector<GroupState>());
}

LimitsState LedgerContract::LimitsOf(const std::string& group) {
  std::optional<LimitsState> answer;
  Inside([&] {
    ledger_->GetLimits(group, [&](LimitsState limits) {
      EXPECT_FALSE(inside_) << "answered from inside the method";
      answer = limits;
    });
  });
  Answer();
  EXPECT_TRUE(answer);
  return answer.value_or(LimitsState());
}

QueueState LedgerContract::Queue(const std::optional<std::string>& tenant, size_t most) {
  std::optional<QueueState> answer;
  Inside([&] {
    ledger_->GetQueues(tenant, most, [&](const std::vector<QueueState>& queues) {
      EXPECT_FALSE(inside_) << "answered from inside the method";
      for (const QueueState& queue : queues) {
        if (queue.group == "a") answer = queue;
      }
    });
  });
  Answer();
  EXPECT_TRUE(answer);
  return answer.value_or(QueueState());
}

int64_t LedgerContract::TokensLeft() {
  for (const LimitGroup::Level& level : HeadroomFor(0).levels) {
    if (level.dimension == Dimension::kTokens) return level.remaining;
  }
  ADD_FAILURE() << "no limit of tokens";
  return 0;
}

}  // namespace holdfast::quota
