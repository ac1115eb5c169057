#include "http/reply_head.h"

#include <gtest/gtest.h>

namespace loam::http {
namespace {

TEST(ReplyHead, WritesDatesAsTheStandardDoes) {
  EXPECT_EQ(http_date(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(ReplyHead, FramesTheBodyItself) {
  Headers headers;
  headers.add("Content-Type", "text/plain");
  headers.add("Connection", "upgrade");
  headers.add("Transfer-Encoding", "gzip");
  EXPECT_EQ(write_reply_head(200, headers, {.length = 3, .chunked = false, .keep_alive = true},
                             "req_1", 784'111'777),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ndate: Sun, 06 Nov 1994 08:49:37 "
            "GMT\r\nx-request-id: req_1\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\n");
  const std::string chunked =
      write_reply_head(299, {}, {.length = {}, .chunked = true, .keep_alive = false}, "req_1", 0);
  EXPECT_TRUE(chunked.starts_with("HTTP/1.1 299 \r\n")) << chunked;
  EXPECT_TRUE(chunked.ends_with("transfer-encoding: chunked\r\nconnection: close\r\n\r\n"));
}

TEST(ReplyHead, GivesNoLengthToWhatHasNoBody) {
  for (const int status : {204, 304})
    EXPECT_FALSE(write_reply_head(status, {}, {.length = 0, .chunked = false, .keep_alive = true},
                                  "req_1", 0)
                     .contains("content-length"));
}

TEST(ReplyHead, WritesChunks) {
  EXPECT_EQ(write_chunk(std::string(26, 'x')).substr(0, 4), "1a\r\n");
}

}  // namespace
}  // namespace loam::http
