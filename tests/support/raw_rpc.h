#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

namespace holdfast::test {

// What becomes of a call of `method` ("/package.Service/Method"), unary or server-streaming, whose one message has
// these bytes: for messages that our own stubs would never send. `answer`: the bytes of the last message that came
// back. Gives up after half a minute.
grpc::Status SendRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method, const std::string& bytes,
                     const std::string& token = "", std::string* answer = nullptr);

// One field of a message, as it is on the wire: a number, or bytes.
std::string WireNumber(int field, uint64_t value);
std::string WireBytes(int field, const std::string& bytes);

// A channel that sends messages of any size.
std::shared_ptr<grpc::Channel> UnboundedChannel(const std::string& address);

}  // namespace holdfast::test
