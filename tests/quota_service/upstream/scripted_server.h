#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/streambuf.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::quota {

// An HTTP/1.1 server whose answers are bytes that the test writes, right or wrong. On 127.0.0.1, port 0, on the test's
// own loop.
class ScriptedServer {
 public:
  class Connection : public std::enable_shared_from_this<Connection> {
   public:
    explicit Connection(boost::asio::ip::tcp::socket socket, ScriptedServer* server)
        : socket_(std::move(socket)), server_(server) {}

    void Send(std::string bytes);
    // Ends the stream after what was sent so far has gone.
    void Close();
    // Breaks the connection at once, with a RST.
    void Reset();

   private:
    friend class ScriptedServer;
    void ReadRequest();
    void ReadBody(size_t length);
    void WriteNext();

    boost::asio::ip::tcp::socket socket_;
    ScriptedServer* server_;
    boost::asio::streambuf input_;
    std::string head_;
    std::vector<std::string> output_;
    bool writing_ = false;
    bool close_after_output_ = false;
  };

  explicit ScriptedServer(boost::asio::io_context& context);

  // Whoever connects from now on is refused.
  void StopListening() { acceptor_.close(); }

  std::string Url(const std::string& path = "/v1/responses") const;
  int port() const { return acceptor_.local_endpoint().port(); }
  int accepted() const { return accepted_; }
  // Head and body of each request, as they came.
  const std::vector<std::string>& requests() const { return requests_; }
  // Of the latest request.
  Connection& connection() { return *latest_; }

  // Called for each whole request. Does nothing unless set.
  std::function<void(Connection&)> on_request = [](Connection&) {};

 private:
  void Accept();

  boost::asio::ip::tcp::acceptor acceptor_;
  int accepted_ = 0;
  std::vector<std::string> requests_;
  std::shared_ptr<Connection> latest_;
};

}  // namespace holdfast::quota
