#pragma once

#include <fmt/format.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quota_service/call/call.h"

namespace holdfast::quota {

struct RegistryBounds {
  size_t finished_bytes = size_t{256} * 1024 * 1024;   // of completed calls that are kept for another attach
  Duration without_reader = std::chrono::seconds(60);  // how long a call runs on when nobody reads
};

// All calls by (tenant, call_id). A broken stream detaches a reader and cancels nothing; running and completed calls
// are kept, failures are not. ExchangeT is an Exchange with
//   size_t retained_bytes() const;
//   void set_on_finished(std::function<void(bool completed)>);   called once its caller has been told
// On the loop.
template <typename ExchangeT>
class Registry {
 public:
  Registry(CallServices services, RegistryBounds bounds) : services_(std::move(services)), bounds_(bounds) {}
  ~Registry() { *alive_ = false; }

  // The call of this key, begun now where there is none. ALREADY_EXISTS: the same key with another digest.
  // The reader keeps the exchange, and the call running, until Detach.
  absl::StatusOr<std::shared_ptr<ExchangeT>> Attach(Envelope envelope,
                                                    const std::function<std::shared_ptr<ExchangeT>()>& make) {
    Key key{envelope.tenant, envelope.call_id};
    auto found = entries_.find(key);
    if (found == entries_.end()) {
      auto entry = std::make_unique<Entry>();
      entry->exchange = make();
      entry->call = std::make_unique<Call>(services_, std::move(envelope), entry->exchange.get());
      entry->abandoned = services_.loop.NewTimer();
      entry->exchange->set_on_finished([this, key](bool completed) { OnFinished(key, completed); });
      found = entries_.emplace(key, std::move(entry)).first;
      found->second->call->Start();
    } else if (found->second->call->envelope().digest != envelope.digest) {
      return absl::AlreadyExistsError(fmt::format(
          "call_id \"{}\" belongs to another request; use a new call_id, or send the same request", key.second));
    }
    Entry& entry = *found->second;
    ++entry.readers;
    entry.abandoned->Disarm();
    Touch(key, entry);
    return entry.exchange;
  }

  // `exchange` as Attach gave it: the key may belong to a later call by now.
  void Detach(const std::string& tenant, const std::string& call_id, const ExchangeT* exchange) {
    const Key key{tenant, call_id};
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second->exchange.get() != exchange || --found->second->readers > 0) return;
    if (found->second->kept) {
      Shrink();
      return;
    }
    found->second->abandoned->ArmAt(services_.loop.Now() + bounds_.without_reader, [this, key] {
      if (const auto entry = entries_.find(key); entry != entries_.end())
        entry->second->call->Cancel("nobody reads this call");
    });
  }

  // False: no such call, or it has ended.
  bool Cancel(const std::string& tenant, const std::string& call_id) {
    const auto found = entries_.find({tenant, call_id});
    if (found == entries_.end() || found->second->call->finished()) return false;
    found->second->call->Cancel("cancelled by its caller");
    return true;
  }

  // The process goes away: calls that wait end here, so that none is sent, and paid for, that nobody will read.
  void CancelWaiting() {
    std::vector<Call*> waiting;
    for (const auto& [key, entry] : entries_) {
      if (entry->call->waiting()) waiting.push_back(entry->call.get());
    }
    // Calls that end are let go later, so these stay valid.
    for (Call* call : waiting) call->Cancel("shutting down");
  }

  size_t running() const { return entries_.size() - finished_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;

  // About what a finished call costs beside what its exchange retains: the call, its timers, its names.
  static constexpr size_t kEntryBytes = 4096;

  struct Entry {
    std::shared_ptr<ExchangeT> exchange;
    std::unique_ptr<Call> call;
    std::unique_ptr<Loop::Timer> abandoned;
    int readers = 0;
    bool kept = false;  // completed, in finished_
    size_t bytes = 0;
    std::list<Key>::iterator place;
  };

  // The exchange and its call are still on the stack here, so they are let go later.
  void OnFinished(const Key& key, bool completed) {
    Entry& entry = *entries_.at(key);
    entry.abandoned->Disarm();
    if (!completed) {
      auto dead = std::make_shared<std::unique_ptr<Entry>>(std::move(entries_.at(key)));
      entries_.erase(key);
      services_.loop.Post([dead] {});
      return;
    }
    entry.kept = true;
    entry.bytes = entry.exchange->retained_bytes() + kEntryBytes;
    kept_bytes_ += entry.bytes;
    finished_.push_back(key);
    entry.place = std::prev(finished_.end());
    services_.loop.Post([this, alive = alive_] {
      if (*alive) Shrink();
    });
  }

  void Touch(const Key& key, Entry& entry) {
    if (!entry.kept) return;
    finished_.erase(entry.place);
    finished_.push_back(key);
    entry.place = std::prev(finished_.end());
  }

  void Shrink() {
    for (auto key = finished_.begin(); key != finished_.end() && kept_bytes_ > bounds_.finished_bytes;) {
      const auto found = entries_.find(*key);
      if (found->second->readers > 0) {
        ++key;
        continue;
      }
      kept_bytes_ -= found->second->bytes;
      entries_.erase(found);
      key = finished_.erase(key);
    }
  }

  CallServices services_;
  RegistryBounds bounds_;
  std::map<Key, std::unique_ptr<Entry>> entries_;
  std::list<Key> finished_;  // least recently used first
  size_t kept_bytes_ = 0;
  // Posted tasks outlive the registry in the loop's queue; they hold this and find it empty.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::quota
