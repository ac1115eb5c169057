// Strong<Tag, Rep>: an id or index that cannot be mixed up with another.
#pragma once

#include <compare>
#include <functional>

namespace loam {

/// `using RequestId = Strong<struct RequestIdTag, std::uint64_t>;`
template <class Tag, class Rep>
struct Strong {
  Rep value{};
  friend auto operator<=>(const Strong&, const Strong&) = default;
};

}  // namespace loam

template <class Tag, class Rep>
struct std::hash<loam::Strong<Tag, Rep>> {
  std::size_t operator()(const loam::Strong<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
