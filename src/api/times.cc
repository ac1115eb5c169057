#include "api/times.h"

#include <chrono>

#include "base/format.h"

namespace loam::api {

std::string rfc3339(std::int64_t wall_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(wall_ms)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

codec::Value rfc3339_or_null(std::int64_t wall_ms) {
  return wall_ms == 0 ? codec::Value() : codec::Value(rfc3339(wall_ms));
}

}  // namespace loam::api
