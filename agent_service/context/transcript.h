#pragma once

#include <string>
#include <vector>

#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::agent {

// An item as text for a model that is to read about it; reasoning is nothing. Long arguments and outputs are cut.
std::string Transcript(const quota::v1::Item& item);
// What a person said in it, without images; empty for what is no user message.
std::string UserText(const quota::v1::Item& item);

}  // namespace holdfast::agent
