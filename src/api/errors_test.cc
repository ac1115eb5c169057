#include "api/errors.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace loam::api {
namespace {

TEST(Errors, EveryCodeHasAStatusAndAllFourKeys) {
  struct Expected {
    ErrorCode code;
    int status;
    std::string_view type;
  };
  for (const Expected& row : {
           Expected{ErrorCode::kInvalidArgument, 400, "invalid_request_error"},
           Expected{ErrorCode::kNotFound, 404, "not_found_error"},
           Expected{ErrorCode::kAlreadyExists, 409, "invalid_request_error"},
           Expected{ErrorCode::kPermissionDenied, 403, "permission_error"},
           Expected{ErrorCode::kResourceExhausted, 429, "rate_limit_error"},
           Expected{ErrorCode::kUnavailable, 503, "server_error"},
           Expected{ErrorCode::kDeadlineExceeded, 504, "server_error"},
           Expected{ErrorCode::kCorrupt, 500, "server_error"},
           Expected{ErrorCode::kUnsupported, 400, "invalid_request_error"},
           Expected{ErrorCode::kCancelled, 499, "server_error"},
           Expected{ErrorCode::kInternal, 500, "server_error"},
       }) {
    const ApiError error(Error{row.code, "what went wrong"});
    EXPECT_EQ(error.status, row.status) << error_code_name(row.code);
    EXPECT_EQ(error.type, row.type);
    const codec::Value body = error_body(error);
    for (const char* key : {"message", "type", "param", "code"})
      EXPECT_NE(body.find(key), nullptr) << key;
  }
}

TEST(Errors, TheReplyIsOpenAisForm) {
  const http::Response response = error_response(bad_field("top_p", "must be smaller"));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body,
            R"({"error":{"message":"top_p: must be smaller","type":"invalid_request_error",)"
            R"("param":"top_p","code":null}})");
}

TEST(Errors, AFullQueueSaysWhenToComeBack) {
  const http::Response response =
      error_response(ApiError(Error{ErrorCode::kResourceExhausted, "queue full"}));
  EXPECT_EQ(response.status, 429);
  ASSERT_NE(response.headers.find("retry-after"), nullptr);
}

TEST(Errors, WhatFailsAgainTellsClientsNotToRetry) {
  const http::Response response =
      error_response(ApiError(Error{ErrorCode::kCorrupt, "the file is damaged"}));
  ASSERT_NE(response.headers.find("x-should-retry"), nullptr);
  EXPECT_EQ(*response.headers.find("x-should-retry"), "false");
}

TEST(Errors, AHintBecomesPartOfTheMessage) {
  EXPECT_EQ(ApiError(Error{ErrorCode::kNotFound, "model x: not here", "loam pull x"}).message,
            "model x: not here (loam pull x)");
}

TEST(Errors, AMissingModelIsNamedAsOpenAiDoes) {
  const ApiError error = model_error(Error{ErrorCode::kNotFound, "model x: not here"});
  EXPECT_EQ(error.status, 404);
  EXPECT_EQ(error.code, "model_not_found");
  EXPECT_EQ(error.param, "model");
  EXPECT_EQ(model_error(Error{ErrorCode::kResourceExhausted, "no room"}).status, 503);
}

}  // namespace
}  // namespace loam::api
