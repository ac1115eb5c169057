#include "api/call.h"

#include "codec/json.h"

namespace loam::api {

void Call::respond_json(int status, const codec::Value& body) const {
  http::Response response;
  response.status = status;
  response.headers.set("content-type", "application/json");
  response.body = codec::to_json(body);
  exchange->respond(std::move(response));
}

}  // namespace loam::api
