#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// As the model reads it in the place of the items that it stands for.
std::string RenderLedger(const v1::Ledger& ledger);
// As a model is given it to carry on, and asked to answer it; without the rules, which are not the model's to change.
std::string LedgerJson(const v1::Ledger& ledger);

// What a model made of a piece. A text that is no such JSON object becomes the notes.
struct LedgerAnswer {
  v1::Ledger ledger;                // without rules
  std::vector<std::string> quotes;  // what it calls the user's rules
};
LedgerAnswer ParseLedgerAnswer(std::string_view text);

// The next ledger: `before` and what the piece adds. Rules are the user's words and nothing else: those of `before`,
// each of the piece's user texts that is short, and of longer ones the passages that the model quotes and that are
// really there. At most `most_rule_bytes` in all; the first ones and the newest stay.
v1::Ledger NextLedger(const v1::Ledger& before, LedgerAnswer answer, const std::vector<std::string>& user_texts,
                      size_t most_rule_bytes);

}  // namespace holdfast::agent
