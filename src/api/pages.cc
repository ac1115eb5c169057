#include "api/pages.h"

#include <algorithm>
#include <iterator>

namespace loam::api {

ApiResult<codec::Value> page_of(codec::Array items, const http::Request& request,
                                std::int64_t limit) {
  auto begin = items.begin();
  if (const auto after = request.query_param("after")) {
    begin = std::ranges::find_if(items, [&](const codec::Value& item) {
      const codec::Value* id = item.find("id");
      return id != nullptr && id->as_string() != nullptr && *id->as_string() == *after;
    });
    if (begin == items.end())
      return refuse(bad_field("after", "must be the id of an item of this list"));
    ++begin;
  }
  const bool has_more = items.end() - begin > limit;
  const auto end = has_more ? begin + limit : items.end();
  codec::Array data(std::make_move_iterator(begin), std::make_move_iterator(end));
  const auto id_of = [&](std::size_t i) {
    const codec::Value* id = data.empty() ? nullptr : data[i].find("id");
    return id == nullptr ? codec::Value() : *id;
  };
  codec::Value first = id_of(0), last = id_of(data.empty() ? 0 : data.size() - 1);
  return codec::Value(codec::Object{{"object", "list"},
                                    {"data", std::move(data)},
                                    {"first_id", std::move(first)},
                                    {"last_id", std::move(last)},
                                    {"has_more", has_more}});
}

}  // namespace loam::api
