#pragma once

#include <functional>

#include "absl/functional/any_invocable.h"

namespace holdfast::agent {

// Posts a callback onto the loop of whoever owns the store, in order. Callable from any thread; never runs the callback
// itself. Must stay usable until the store is destroyed: its destructor still posts.
using Executor = std::function<void(absl::AnyInvocable<void()>)>;

}  // namespace holdfast::agent
