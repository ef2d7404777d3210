#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "common/base/address.h"
#include "common/rpc/tls.h"

namespace holdfast {

// A channel that reconnects by itself, at most a second after the last failure, and finds dead peers by keepalive.
// `tls` absent: plain text.
std::shared_ptr<grpc::Channel> MakeChannel(const Address& address, const std::optional<TlsClient>& tls = std::nullopt);

// Sets `authorization: Bearer <token>`; an empty token sets nothing.
void SetBearerToken(grpc::ClientContext& context, const std::string& token);

}  // namespace holdfast
