#include "agent_service/context/ledger.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "common/base/utf8.h"

namespace holdfast::agent {
namespace {

namespace json = boost::json;

// Said in so few words, all of it is kept.
constexpr size_t kShortTextBytes = 2000;
constexpr size_t kMostEntryBytes = 1000;
constexpr size_t kMostGoalBytes = 2000;
constexpr size_t kMostNotesBytes = 8000;
constexpr int kMostEntries = 200;

constexpr char kHead[] =
    "What came before was compacted to this record. Everything it lists as done was done: its commands ran, its "
    "changes "
    "are in the workspace; do not repeat them.\n";

void AddList(const char* title, const google::protobuf::RepeatedPtrField<std::string>& entries, std::string* text) {
  if (entries.empty()) return;
  *text += std::string("\n") + title + ":\n";
  for (const std::string& entry : entries) *text += "- " + entry + "\n";
}

std::string Bounded(std::string_view text, size_t most) { return std::string(TruncateUtf8(text, most)); }

std::string TextOf(const json::value& value) {
  if (value.is_string()) return {value.as_string().data(), value.as_string().size()};
  return json::serialize(value);
}

void TakeList(const json::object& object, const char* name, google::protobuf::RepeatedPtrField<std::string>* out) {
  const json::value* list = object.if_contains(name);
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& entry : list->as_array()) {
    if (out->size() == kMostEntries) return;
    std::string text = Bounded(TextOf(entry), kMostEntryBytes);
    if (!text.empty()) *out->Add() = std::move(text);
  }
}

void TakeFiles(const json::object& object, v1::Ledger* ledger) {
  const json::value* list = object.if_contains("files");
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& entry : list->as_array()) {
    if (ledger->files_size() == kMostEntries) return;
    v1::LedgerFile file;
    if (entry.is_object()) {
      const json::value* path = entry.as_object().if_contains("path");
      const json::value* note = entry.as_object().if_contains("note");
      if (path != nullptr) file.set_path(Bounded(TextOf(*path), kMostEntryBytes));
      if (note != nullptr) file.set_note(Bounded(TextOf(*note), kMostEntryBytes));
    } else {
      file.set_path(Bounded(TextOf(entry), kMostEntryBytes));
    }
    if (!file.path().empty()) *ledger->add_files() = std::move(file);
  }
}

json::array ListOf(const google::protobuf::RepeatedPtrField<std::string>& entries) {
  json::array list;
  for (const std::string& entry : entries) list.emplace_back(entry);
  return list;
}

}  // namespace

std::string RenderLedger(const v1::Ledger& ledger) {
  std::string text = kHead;
  if (!ledger.goal().empty()) text += "\nGoal: " + ledger.goal() + "\n";
  AddList("What the user said, word for word; it still holds", ledger.rules(), &text);
  if (ledger.rules_left_out() > 0)
    text += "(" + std::to_string(ledger.rules_left_out()) + " more were left out for their size.)\n";
  AddList("Done", ledger.done(), &text);
  AddList("In progress", ledger.in_progress(), &text);
  AddList("Next", ledger.next(), &text);
  if (!ledger.files().empty()) text += "\nFiles:\n";
  for (const v1::LedgerFile& file : ledger.files())
    text += "- " + file.path() + (file.note().empty() ? "" : ": " + file.note()) + "\n";
  if (!ledger.notes().empty()) text += "\nNotes:\n" + ledger.notes() + "\n";
  return text;
}

std::string LedgerJson(const v1::Ledger& ledger) {
  json::array files;
  for (const v1::LedgerFile& file : ledger.files())
    files.push_back(json::object{{"path", file.path()}, {"note", file.note()}});
  json::object object = {{"goal", ledger.goal()},
                         {"done", ListOf(ledger.done())},
                         {"in_progress", ListOf(ledger.in_progress())},
                         {"next", ListOf(ledger.next())},
                         {"files", std::move(files)}};
  if (!ledger.notes().empty()) object["notes"] = ledger.notes();
  return json::serialize(object);
}

LedgerAnswer ParseLedgerAnswer(std::string_view text) {
  LedgerAnswer answer;
  // Models like to wrap it into a fence, or a sentence.
  const size_t begin = text.find('{');
  const size_t end = text.rfind('}');
  json::error_code error;
  json::value value;
  if (begin != std::string_view::npos && end != std::string_view::npos && begin < end)
    value = json::parse(json::string_view(text.data() + begin, end - begin + 1), error);
  if (error || !value.is_object()) {
    answer.ledger.set_notes(Bounded(text, kMostNotesBytes));
    return answer;
  }
  const json::object& object = value.as_object();
  if (const json::value* goal = object.if_contains("goal"))
    answer.ledger.set_goal(Bounded(TextOf(*goal), kMostGoalBytes));
  TakeList(object, "done", answer.ledger.mutable_done());
  TakeList(object, "in_progress", answer.ledger.mutable_in_progress());
  TakeList(object, "next", answer.ledger.mutable_next());
  TakeFiles(object, &answer.ledger);
  if (const json::value* notes = object.if_contains("notes"))
    answer.ledger.set_notes(Bounded(TextOf(*notes), kMostNotesBytes));
  google::protobuf::RepeatedPtrField<std::string> quotes;
  TakeList(object, "rules", &quotes);
  answer.quotes.assign(quotes.begin(), quotes.end());
  return answer;
}

v1::Ledger NextLedger(const v1::Ledger& before, LedgerAnswer answer, const std::vector<std::string>& user_texts,
                      size_t most_rule_bytes) {
  v1::Ledger next = std::move(answer.ledger);
  const bool unstructured = next.done().empty() && next.in_progress().empty() && next.next().empty() &&
                            next.files().empty() && next.goal().empty();
  if (unstructured) {
    // Nothing that was known is lost to an answer that is no record.
    const std::string notes = next.notes();
    next = before;
    next.set_notes(KeepHeadAndTail(before.notes().empty() ? notes : before.notes() + "\n" + notes, kMostNotesBytes));
  }
  if (next.goal().empty()) next.set_goal(before.goal());
  if (next.goal().empty() && !user_texts.empty()) next.set_goal(Bounded(user_texts.front(), kMostEntryBytes));

  std::vector<std::string> rules(before.rules().begin(), before.rules().end());
  const auto add = [&rules](const std::string& rule) {
    if (!rule.empty() && std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
  };
  for (const std::string& text : user_texts) {
    if (text.size() <= kShortTextBytes) {
      add(text);
      continue;
    }
    bool quoted = false;
    for (const std::string& quote : answer.quotes) {
      if (text.find(quote) == std::string::npos) continue;
      add(quote);
      quoted = true;
    }
    if (!quoted) add(Bounded(text, kMostEntryBytes));
  }
  size_t bytes = 0;
  for (const std::string& rule : rules) bytes += rule.size();
  int left_out = before.rules_left_out();
  while (bytes > most_rule_bytes && rules.size() > 2) {
    bytes -= rules[rules.size() / 2].size();
    rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(rules.size() / 2));
    ++left_out;
  }
  next.mutable_rules()->Assign(rules.begin(), rules.end());
  next.set_rules_left_out(left_out);
  return next;
}

}  // namespace holdfast::agent
