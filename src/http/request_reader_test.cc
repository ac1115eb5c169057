#include "http/request_reader.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace loam::http {
namespace {

using Progress = RequestReader::Progress;

const Limits kLimits;

/// The status with which `bytes` are refused; 0 if they are not.
int refused(std::string_view bytes, const Limits& limits = kLimits) {
  RequestReader reader(limits);
  reader.feed(bytes);
  return reader.progress() == Progress::kRefused ? reader.refusal().status : 0;
}

int refused_head(std::string_view line, std::string_view fields = "Host: x\r\n") {
  return refused(format("{}\r\n{}\r\n", line, fields));
}

TEST(RequestReader, ReadsLineFieldsAndQuery) {
  RequestReader reader(kLimits);
  reader.feed(
      "GET /a%2Fb%C3%A4?x=%20&y HTTP/1.1\r\nHost: h:1\r\nX-Empty:\r\nX-A: \t b c \t\r\n\r\n");
  ASSERT_EQ(reader.progress(), Progress::kComplete);
  EXPECT_TRUE(reader.head().keep_alive);
  const Request request = reader.take();
  EXPECT_EQ(request.method, Method::kGet);
  EXPECT_EQ(request.path, "/a/bä");
  EXPECT_EQ(request.query, "x=%20&y");
  EXPECT_EQ(*request.headers.find("host"), "h:1");
  EXPECT_EQ(*request.headers.find("x-empty"), "");
  EXPECT_EQ(*request.headers.find("x-a"), "b c");
  EXPECT_EQ(reader.progress(), Progress::kIdle);
}

TEST(RequestReader, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string bytes =
      "\r\nPOST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
      "POST /two HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "A;ext=\"1\"\r\n0123456789\r\n1\r\nx\r\n00\r\nTrailer: t\r\n\r\n"
      "GET /three HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    RequestReader reader(kLimits);
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      while (reader.progress() == Progress::kComplete) {
        const Request request = reader.take();
        seen += request.path + "=" + request.body + " ";
      }
    }
    EXPECT_EQ(seen, "/one=hello /two=0123456789x /three= ") << piece;
    EXPECT_EQ(reader.progress(), Progress::kIdle) << piece;
    EXPECT_EQ(reader.buffered_bytes(), 0U) << piece;
  }
}

TEST(RequestReader, TellsHowFarItIs) {
  RequestReader reader(kLimits);
  EXPECT_EQ(reader.progress(), Progress::kIdle);
  reader.feed("\r\n");
  EXPECT_EQ(reader.progress(), Progress::kIdle) << "an empty line begins nothing";
  reader.feed("P");
  EXPECT_EQ(reader.progress(), Progress::kHead);
  reader.feed("OST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(reader.progress(), Progress::kBody);
  reader.feed("xGET");
  EXPECT_EQ(reader.progress(), Progress::kComplete);
  EXPECT_EQ(reader.take().body, "x");
  EXPECT_EQ(reader.progress(), Progress::kHead);
}

TEST(RequestReader, UnderstandsConnectionAndVersion) {
  const auto keeps = [](std::string_view head) {
    RequestReader reader(kLimits);
    reader.feed(head);
    EXPECT_EQ(reader.progress(), Progress::kComplete) << head;
    return reader.head().keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: te , CLOSE\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
}

TEST(RequestReader, TakesTheAbsoluteForm) {
  const auto path = [](std::string_view target) {
    RequestReader reader(kLimits);
    reader.feed(format("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", target));
    EXPECT_EQ(reader.progress(), Progress::kComplete) << target;
    Request request = reader.take();
    return request.path + "|" + request.query;
  };
  EXPECT_EQ(path("http://h:5/a?b"), "/a|b");
  EXPECT_EQ(path("HTTPS://h"), "/|");
  EXPECT_EQ(path("http://h?q"), "/|q");
}

TEST(RequestReader, RefusesMalformedRequestLines) {
  for (const char* line :
       {"GET", "GET /", "GET / HTTP", "GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1",
        "G(T / HTTP/1.1", "GET /a b HTTP/1.1", "GET a HTTP/1.1", "GET * HTTP/1.1",
        "GET /# HTTP/1.1", "CONNECT h:1 HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\x7f HTTP/1.1"})
    EXPECT_EQ(refused_head(line), 400) << line;
  EXPECT_EQ(refused_head("GET / HTTP/2.0"), 505);
  EXPECT_EQ(refused_head("GET / HTTP/1.2"), 505);
  EXPECT_EQ(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

TEST(RequestReader, RefusesPathsThatCannotBeMeant) {
  for (const char* path :
       {"/%00", "/%", "/%zz", "/%ff", "/%c3", "/a/../b", "/%2e%2e/b", "/./a", "/a%2f.."})
    EXPECT_EQ(refused_head(format("GET {} HTTP/1.1", path)), 400) << path;
  EXPECT_EQ(refused_head("GET /..a/.b/c.. HTTP/1.1"), 0);
}

TEST(RequestReader, RefusesMalformedFields) {
  for (const char* field : {"X", ": x", "X : x", " X: x", "X: a\r\n b", "X: a\x01", "X: a\x7f",
                            "X\x80: a", "X: a\nY: b", "X: a\rY: b", "X: a\r\r"})
    EXPECT_EQ(refused(format("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n", field)), 400) << field;
}

TEST(RequestReader, RefusesBareLineFeeds) {
  EXPECT_EQ(refused("GET / HTTP/1.1\nHost: x\n\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\nHost: x\r\n\r\n"), 400);
}

TEST(RequestReader, WantsExactlyOneHost) {
  EXPECT_EQ(refused_head("GET / HTTP/1.1", ""), 400);
  EXPECT_EQ(refused_head("GET / HTTP/1.1", "Host: a\r\nhost: a\r\n"), 400);
  EXPECT_EQ(refused_head("GET / HTTP/1.0", ""), 0);
}

TEST(RequestReader, RefusesLengthsInDoubt) {
  for (const char* fields :
       {"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n",
        "Content-Length: \r\n", "Content-Length: -1\r\n", "Content-Length: +1\r\n",
        "Content-Length: 0x1\r\n", "Content-Length: 1 1\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"})
    EXPECT_EQ(refused_head("POST / HTTP/1.1", format("Host: x\r\n{}", fields)), 400) << fields;
  for (const char* fields :
       {"Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"})
    EXPECT_EQ(refused_head("POST / HTTP/1.1", format("Host: x\r\n{}", fields)), 501) << fields;
  EXPECT_EQ(refused_head("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), 400);
}

TEST(RequestReader, RefusesExpectationsItDoesNotKnow) {
  EXPECT_EQ(refused_head("POST / HTTP/1.1", "Host: x\r\nExpect: magic\r\n"), 417);
}

TEST(RequestReader, RefusesMalformedChunks) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body :
       {"\r\n", "g\r\n", "-1\r\n", "0x1\r\nx\r\n", " 1\r\nx\r\n", "1\nx\r\n", "1\r\nxy\r\n",
        "1\r\nx\n", "1\r\nx0\r\n\r\n", "1111111111111111\r\n", "0\r\nX: y\n\r\n"})
    EXPECT_EQ(refused(head + body), 400) << body;
  EXPECT_EQ(refused(head + "1;" + std::string(300, 'x')), 400);
  EXPECT_EQ(refused(head + "fffffffffffffff\r\n"), 413);
}

TEST(RequestReader, HoldsToItsLimits) {
  Limits limits;
  limits.head_bytes_max = 200;
  limits.body_bytes_max = 10;
  const std::string host = "GET / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(refused(host + "X: " + std::string(200, 'x'), limits), 431);
  EXPECT_EQ(refused(std::string(201, 'x'), limits), 431);
  EXPECT_EQ(refused(host + "Content-Length: 10\r\n\r\n", limits), 0);
  EXPECT_EQ(refused(host + "Content-Length: 11\r\n\r\n", limits), 413);
  const std::string chunked = host + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(refused(chunked + "5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n", limits), 0);
  EXPECT_EQ(refused(chunked + "5\r\n01234\r\n6\r\n", limits), 413);
  EXPECT_EQ(refused(chunked + "0\r\n" + std::string(202, 'x'), limits), 431);
  std::string trailers;
  for (int i = 0; i < 50; ++i) trailers += "X: yyyyyy\r\n";
  EXPECT_EQ(refused(chunked + "0\r\n" + trailers, limits), 431);
  std::string fields;
  for (int i = 0; i < 200; ++i) fields += "X: y\r\n";
  EXPECT_EQ(refused(host + fields + "\r\n"), 431);
}

}  // namespace
}  // namespace loam::http
