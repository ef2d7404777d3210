#pragma once

#include <string>
#include <vector>

#include "agent_service/session/session_state.h"
#include "common/base/clock.h"

// Logs for tests, event by event. Everything is of turn "t1" unless it says otherwise.
namespace holdfast::agent {

quota::v1::Item Said(const std::string& text);  // by the assistant
quota::v1::Item Asked(const std::string& call_id, const std::string& name = "shell");

v1::SessionEvent CreatedEvent(const std::string& model = "o4-mini", const std::string& workspace = "/home/dev/w");
v1::SessionEvent TurnEvent(const std::string& client_key, const std::string& text, const std::string& turn_id = "t1");
v1::SessionEvent CallEvent(int step);
// A wait that begins at `now` seconds of the log's time (see Numbered) and lasts `seconds`.
v1::SessionEvent WaitEvent(int64_t now, int64_t seconds);
v1::SessionEvent AnswerEvent(const std::vector<quota::v1::Item>& items, int64_t input_tokens = 0,
                             int64_t output_tokens = 0, double waited_seconds = 0);
v1::SessionEvent ResultEvent(const std::string& call_id, const std::string& output);
v1::SessionEvent CompletedEvent();
v1::SessionEvent FailedEvent();
// Of a kind that a later version may know.
v1::SessionEvent FutureEvent();

// Sequences from 1; the event of sequence n happens at second n of the log's time.
std::vector<v1::SessionEvent> Numbered(std::vector<v1::SessionEvent> events);
WallTime LogTime(int64_t second);
SessionState Fold(const std::vector<v1::SessionEvent>& numbered);

// All that can be asked of a state, as text.
std::string Fingerprint(const SessionState& state);

}  // namespace holdfast::agent
