#include <gmock/gmock.h>

#include <set>

#include "mayfly/network/address_pool.h"
#include "mayfly/network/name_files.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

TEST(AddressPool, StartsBehindTheRoutersOwnAddresses) {
  AddressPool pool;
  EXPECT_EQ(pool.lease(), "10.0.2.32");
  EXPECT_EQ(pool.lease(), "10.0.2.33");
  EXPECT_EQ(pool.in_use(), 2U);
}

TEST(AddressPool, LetsAReleasedAddressRest) {
  AddressPool pool;
  const std::string first = pool.lease();
  pool.release(first);
  EXPECT_EQ(pool.in_use(), 0U);
  EXPECT_EQ(pool.lease(), "10.0.2.33");
}

TEST(AddressPool, HandsOutEachAddressOnce) {
  AddressPool pool;
  std::set<std::string> all;
  for (int i = 0; i < 223; ++i) {
    all.insert(pool.lease());
  }
  EXPECT_EQ(all.size(), 223U);
  EXPECT_TRUE(all.contains("10.0.2.254"));
  EXPECT_FALSE(all.contains("10.0.2.255"));
}

TEST(AddressPool, SaysWhenItIsEmptyAndRecovers) {
  AddressPool pool;
  for (int i = 0; i < 223; ++i) {
    static_cast<void>(pool.lease());
  }
  try {
    static_cast<void>(pool.lease());
    FAIL() << "leased";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "all 223 addresses of the session's network 10.0.2.0/24 are in use");
  }
  pool.release("10.0.2.100");
  EXPECT_EQ(pool.lease(), "10.0.2.100");
}

TEST(AddressPool, IgnoresWhatItNeverLeased) {
  AddressPool pool;
  const std::string leased = pool.lease();
  for (const char* address : {"", "web", "10.0.2.2", "10.0.2.255", "10.0.3.32", "10.0.2.200", "::1"}) {
    pool.release(address);
  }
  EXPECT_EQ(pool.in_use(), 1U);
}

TEST(AddressPool, IsAValue) {
  AddressPool pool;
  AddressPool copy = pool;
  static_cast<void>(pool.lease());
  EXPECT_EQ(copy.in_use(), 0U);
  EXPECT_EQ(copy.lease(), "10.0.2.32");
}

TEST(EthernetAddress, FollowsFromTheAddress) {
  EXPECT_EQ(ethernet_address("10.0.2.32"), "02:4d:0a:00:02:20");
  EXPECT_EQ(ethernet_address("10.0.2.254"), "02:4d:0a:00:02:fe");
}

TEST(EthernetAddress, RefusesWhatIsNoAddress) {
  try {
    static_cast<void>(ethernet_address("10.0.2"));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "'10.0.2' is no IPv4 address");
  }
}

TEST(HostsText, KnowsTheContainersName) {
  EXPECT_EQ(hosts_text("web", "10.0.2.32"),
            "127.0.0.1 localhost\n"
            "10.0.2.32 web\n"
            "::1 localhost ip6-localhost ip6-loopback\n"
            "ff02::1 ip6-allnodes\n"
            "ff02::2 ip6-allrouters\n");
}

TEST(HostsText, NamesTheFirstLabelOfAQualifiedNameToo) {
  EXPECT_THAT(hosts_text("web.example.org", "10.0.2.32"), ::testing::HasSubstr("\n10.0.2.32 web.example.org web\n"));
}

TEST(HostsText, HasALoopbackAddressForANameWithoutNetwork) {
  EXPECT_THAT(hosts_text("web"), ::testing::HasSubstr("\n127.0.1.1 web\n"));
}

TEST(ResolvConfText, ListsNameServers) {
  EXPECT_EQ(resolv_conf_text({kNameServer, "192.0.2.1"}), "nameserver 10.0.2.3\nnameserver 192.0.2.1\n");
}

TEST(ResolvConfText, SaysWhyThereAreNoNameServers) {
  EXPECT_EQ(resolv_conf_text({}), "# This container has no network of its own.\n");
}

}  // namespace
}  // namespace mayfly
