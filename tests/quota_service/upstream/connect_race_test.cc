#include "quota_service/upstream/connect_race.h"

#include <gmock/gmock.h>

#include <optional>
#include <vector>

#include "tests/quota_service/upstream/client_test_base.h"

namespace holdfast::quota {
namespace {

using boost::asio::ip::tcp;
using std::chrono::hours;
using std::chrono::milliseconds;

class ConnectRaceTest : public ClientTestBase {
 protected:
  static tcp::endpoint Loopback() { return {boost::asio::ip::address_v4::loopback(), 0}; }

  // Takes connections, but answers nobody any more: its queue is full.
  tcp::endpoint Silent() {
    full_.open(tcp::v4());
    full_.bind(Loopback());
    full_.listen(0);
    for (int i = 0; i < 4; ++i) {
      waiting_.emplace_back(context_).async_connect(full_.local_endpoint(), [](const boost::system::error_code&) {});
    }
    RunReady();
    return full_.local_endpoint();
  }

  tcp::endpoint Refusing() {
    tcp::acceptor gone(context_, Loopback());
    return gone.local_endpoint();
  }

  std::shared_ptr<ConnectRace> Start(std::vector<tcp::endpoint> to, Duration head_start) {
    auto race = std::make_shared<ConnectRace>(
        context_,
        [this](const boost::system::error_code& error, tcp::socket socket) {
          EXPECT_FALSE(error_) << "told twice";
          error_ = error;
          if (!error) winner_ = socket.remote_endpoint();
        },
        head_start);
    race->Start(std::move(to));
    EXPECT_FALSE(error_) << "told from inside Start";
    return race;
  }
  void RunUntilTold() {
    RunUntil([this] { return error_.has_value(); });
  }

  tcp::acceptor server_{context_, Loopback()};
  tcp::acceptor full_{context_};
  std::vector<tcp::socket> waiting_;
  std::optional<boost::system::error_code> error_;
  tcp::endpoint winner_;
};

TEST_F(ConnectRaceTest, TheFirstAddressWinsWhereItAnswers) {
  tcp::acceptor other(context_, Loopback());
  Start({server_.local_endpoint(), other.local_endpoint()}, hours(1));
  RunUntilTold();
  EXPECT_EQ(winner_, server_.local_endpoint());
}

TEST_F(ConnectRaceTest, AnAddressThatFailsIsFollowedByTheNextAtOnce) {
  Start({Refusing(), Refusing(), server_.local_endpoint()}, hours(1));
  RunUntilTold();
  EXPECT_FALSE(*error_) << error_->message();
  EXPECT_EQ(winner_, server_.local_endpoint());
}

TEST_F(ConnectRaceTest, AnAddressThatIsSilentIsFollowedByTheNextAfterItsHeadStart) {
  Start({Silent(), server_.local_endpoint()}, milliseconds(1));
  RunUntilTold();
  EXPECT_FALSE(*error_) << error_->message();
  EXPECT_EQ(winner_, server_.local_endpoint());
}

TEST_F(ConnectRaceTest, FailsOnceAllHaveFailed) {
  Start({Refusing(), Refusing()}, hours(1));
  RunUntilTold();
  EXPECT_EQ(*error_, boost::asio::error::connection_refused);
}

TEST_F(ConnectRaceTest, OneThatIsSilentIsWaitedForThoughAllOthersFailed) {
  const auto race = Start({Refusing(), Silent()}, hours(1));
  bool refused = false;
  const auto later = std::make_shared<ConnectRace>(
      context_, [&](const boost::system::error_code&, const tcp::socket&) { refused = true; });
  later->Start({Refusing(), Refusing()});
  RunUntil([&] { return refused; });
  EXPECT_FALSE(error_);
  race->Cancel();
  RunReady();
  EXPECT_FALSE(error_);
}

TEST_F(ConnectRaceTest, IsSilentOnceItIsCancelled) {
  Start({server_.local_endpoint()}, hours(1))->Cancel();
  RunReady();
  EXPECT_FALSE(error_);
}

}  // namespace
}  // namespace holdfast::quota
