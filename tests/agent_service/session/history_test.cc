#include "agent_service/session/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

std::string Words(const History& history) {
  std::string words;
  for (const quota::v1::Item& item : history.items()) words += item.message().parts(0).text();
  return words;
}

TEST(History, GoesBackAndForthAgain) {
  History history;
  history.Push(Said("a"));
  const History::Position early = history.position();
  history.Push(Said("b"));
  const History::Position late = history.position();
  history.Restore(early);
  EXPECT_EQ(Words(history), "a");
  history.Push(Said("c"));
  const History::Position other = history.position();
  history.Restore(late);
  EXPECT_EQ(Words(history), "ab");
  history.Restore(other);
  EXPECT_EQ(Words(history), "ac");
  history.Restore({});
  EXPECT_EQ(Words(history), "");
}

TEST(History, WhatWasRestoredHasThePositionThatItHad) {
  History history;
  history.Push(Said("a"));
  const History::Position before = history.position();
  history.Push(Said("b"));
  history.Restore(before);
  EXPECT_EQ(history.position().branch, before.branch);
  EXPECT_EQ(history.position().size, before.size);
}

TEST(History, EveryPositionEverComesBackAsItWas) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    History history;
    std::vector<std::pair<History::Position, std::string>> known = {{history.position(), ""}};
    for (int step = 0; step < 60; ++step) {
      if (random() % 4 != 0) {
        history.Push(Said(std::string(1, static_cast<char>('a' + random() % 26))));
      } else {
        const auto& [position, words] = known[random() % known.size()];
        history.Restore(position);
        ASSERT_EQ(Words(history), words) << "seed " << seed << ", step " << step;
      }
      known.emplace_back(history.position(), Words(history));
    }
  }
}

TEST(History, APositionThatNeverWasIsBroughtIntoRange) {
  History history;
  history.Push(Said("a"));
  history.Restore({7, 9});
  EXPECT_EQ(Words(history), "a");
}

}  // namespace
}  // namespace holdfast::agent
