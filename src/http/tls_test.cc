// TLS on both ends: the server with a certificate made here, the client that trusts it or does not.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/format.h"
#include "env/guarded.h"
#include "http/client.h"
#include "http/test_server.h"
#include "http/test_socket.h"
#include "http/test_wait.h"

namespace loam::http {
namespace {

/// A certificate for 127.0.0.1 and its key: two PEM files in a temporary folder, removed with this.
class TestCertificate {
 public:
  TestCertificate() {
    std::string pattern = (std::filesystem::temp_directory_path() / "loam-tls-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(certificate.get());
    const auto* const common_name = reinterpret_cast<const unsigned char*>("loam test");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_EXTENSION* const names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate.get(), key.get(), EVP_sha256());

    const std::unique_ptr<std::FILE, decltype(&std::fclose)> key_file(
        std::fopen(key_path().c_str(), "w"), std::fclose);
    PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    const std::unique_ptr<std::FILE, decltype(&std::fclose)> certificate_file(
        std::fopen(certificate_path().c_str(), "w"), std::fclose);
    PEM_write_X509(certificate_file.get(), certificate.get());
  }
  ~TestCertificate() { std::filesystem::remove_all(folder_); }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  std::string certificate_path() const { return folder_ + "/certificate.pem"; }
  std::string key_path() const { return folder_ + "/key.pem"; }

 private:
  std::string folder_;
};

class Tls : public testing::Test {
 protected:
  ServerOptions options() const {
    ServerOptions options;
    options.tls = std::make_unique<TlsFiles>();
    options.tls->certificate_path = certificate_.certificate_path();
    options.tls->key_path = certificate_.key_path();
    return options;
  }
  ClientRequest request(const TestServer& server, std::string body = {}) const {
    ClientRequest request;
    request.method = Method::kPost;
    request.url = format("https://127.0.0.1:{}/", server.port());
    request.body = std::move(body);
    request.ca_path = certificate_.certificate_path();
    return request;
  }
  TestCertificate certificate_;
};

TEST_F(Tls, CarriesLargeBodiesBothWays) {
  TestServer server(options(), [](const ExchangePtr& exchange) {
    exchange->respond({.body = exchange->request().body});
  });
  std::string body;
  for (int i = 0; i < 300'000; ++i) body += format("{} ", i);
  const auto reply = fetch(request(server, body));
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->status, 200);
  EXPECT_TRUE(reply->body == body);
}

TEST_F(Tls, CarriesAStreamAndNoticesWhoLeaves) {
  env::Guarded<ExchangePtr> kept;
  std::atomic<bool> gone = false;
  TestServer server(options(), [&](const ExchangePtr& exchange) {
    kept.with([&](ExchangePtr& now) { now = exchange; });
    exchange->on_disconnect([&] { gone = true; });
    exchange->begin_stream(200, {});
    exchange->write("first");
  });
  ClientCallbacks callbacks;
  std::string seen;
  callbacks.on_data = [&](std::string_view data) {
    seen += data;
    if (seen == "first") kept.with([](const ExchangePtr& now) { now->write("second"); });
    return seen != "firstsecond";
  };
  const auto reply = fetch_stream(request(server), callbacks);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(eventually([&] { return gone.load(); }));
}

TEST_F(Tls, IsRefusedByAClientThatDoesNotTrustIt) {
  TestServer server(options(), [](const ExchangePtr& exchange) { exchange->respond({}); });
  ClientRequest distrusting = request(server);
  distrusting.ca_path.clear();
  const auto reply = fetch(distrusting);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(reply.error().message.contains("certificate")) << reply.error().message;
}

TEST_F(Tls, EndsWithAGoodbyeSoThatNothingLooksCutOff) {
  // An HTTP/1.0-like reply ends with the connection: without close_notify curl reports a failure.
  TestServer server(options(), [](const ExchangePtr& exchange) {
    exchange->add_header("x", "y");
    exchange->respond({.body = "bye"});
  });
  ClientRequest once = request(server);
  once.headers.add("connection", "close");
  const auto reply = fetch(once);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->body, "bye");
  EXPECT_TRUE(eventually([&] { return server->open_connections() == 0; }));
}

TEST_F(Tls, DropsAClientThatSpeaksPlainly) {
  TestServer server(options(), [](const ExchangePtr& exchange) { exchange->respond({}); });
  TestSocket client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(client.read_all().contains("HTTP/1.1"));
}

TEST_F(Tls, GivesUpOnAHandshakeThatDoesNotEnd) {
  ServerOptions slow = options();
  slow.limits.head_timeout_ms = 50;
  TestServer server(std::move(slow), [](const ExchangePtr& exchange) { exchange->respond({}); });
  TestSocket client(server.port());
  EXPECT_TRUE(client.closed());
}

TEST_F(Tls, NamesTheFileThatIsWrong) {
  const auto handler = [](const ExchangePtr&) {};
  ServerOptions wrong = options();
  wrong.tls->certificate_path += ".missing";
  const auto without_certificate = Server::open(std::move(wrong), handler, refuse_plainly);
  ASSERT_FALSE(without_certificate.has_value());
  EXPECT_EQ(without_certificate.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(without_certificate.error().message.contains("certificate.pem.missing"));

  wrong = options();
  wrong.tls->key_path = certificate_.certificate_path();
  const auto without_key = Server::open(std::move(wrong), handler, refuse_plainly);
  ASSERT_FALSE(without_key.has_value());
  EXPECT_EQ(without_key.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::http
