#include "quota_service/service/make_envelope.h"

#include <utility>

#include "quota_service/provider/profile.h"

namespace holdfast::quota {

Envelope MakeEnvelope(CallTerms terms, Route route) {
  Envelope envelope;
  envelope.tenant = std::move(terms.tenant);
  envelope.call_id = std::move(terms.call_id);
  envelope.session = std::move(terms.session);
  envelope.model = std::move(terms.model);
  envelope.digest = std::move(terms.digest);
  envelope.route = std::move(route);
  envelope.output_cap = terms.output_cap;
  const ProviderProfile& profile = *FindProfile(envelope.route.account->profile);
  envelope.charge = GateCharge(profile, terms.prompt_characters, terms.output_cap);
  envelope.guessed =
      envelope.charge - GateCharge(profile, terms.prompt_characters - terms.guessed_characters, terms.output_cap);
  envelope.bytes = terms.bytes;
  envelope.max_wait = terms.max_wait;
  envelope.background = terms.background;
  return envelope;
}

}  // namespace holdfast::quota
