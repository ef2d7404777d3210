#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <string>
#include <string_view>

#include "common/base/address.h"

namespace holdfast::test {

// A client's end of one TCP connection, byte by byte. Blocking; every read ends within half a minute.
class HttpSession {
 public:
  // `receive_buffer`: bytes that the system takes ahead of the reader; 0: as many as it likes.
  explicit HttpSession(const Address& address, int receive_buffer = 0);

  void Send(std::string_view bytes);
  // POST with a JSON body and its length; `headers`: whole lines.
  void Post(std::string_view path, std::string_view body, std::string_view headers = "");
  // All that came so far, or comes until this text has come. Without it: until the server closes.
  std::string ReadUntil(std::string_view text);
  std::string ReadAll() { return ReadUntil(""); }
  // What came so far is not looked at again.
  void Forget() { received_.clear(); }
  // No more is sent.
  void ShutdownSend();
  void Close();

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_{context_};
  std::string received_;
};

}  // namespace holdfast::test
