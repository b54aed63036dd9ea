#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon.h"

// Nothing of Mayfly in here: run it in a container, or it takes your port 25.
TEST(Courier, Listens) {
  const int fd = courier::listen_on(25);
  EXPECT_GE(fd, 0);
  ::close(fd);
}

TEST(Courier, HasDefaults) { EXPECT_EQ(courier::setting("port", "25"), "25"); }
