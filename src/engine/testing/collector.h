// Collector: a sink that keeps the events of one request and lets a test wait for the last.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace loam::engine::testing {

/// Copies share what they collect, so that a sink may outlive the test's interest in it.
class Collector {
 public:
  EventSink sink() const {
    return [state = state_](Event event) {
      {
        const std::scoped_lock lock(state->mutex);
        state->events.push_back(std::move(event));
      }
      state->changed.notify_all();
    };
  }

  /// Waits until `enough` holds of the events so far; false after a time that no test needs.
  template <class Enough>
  bool wait(Enough enough) const {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, std::chrono::seconds(60),
                                    [&] { return enough(state_->events); });
  }
  bool wait_events(std::size_t count) const {
    return wait([=](const std::vector<Event>& events) { return events.size() >= count; });
  }
  /// Waits for the last event; false if none came.
  bool wait_end() const {
    return wait([](const std::vector<Event>& events) {
      return !events.empty() && (std::holds_alternative<RequestDone>(events.back()) ||
                                 std::holds_alternative<RequestFailed>(events.back()));
    });
  }

  std::vector<Event> events() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->events;
  }
  template <class Kind>
  std::vector<Kind> all() const {
    std::vector<Kind> out;
    for (const Event& event : events())
      if (const auto* one = std::get_if<Kind>(&event)) out.push_back(*one);
    return out;
  }
  std::string text(std::uint32_t choice = 0) const {
    std::string out;
    for (const Delta& delta : all<Delta>())
      if (delta.choice == choice) out += delta.text;
    return out;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Event> events;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// A prompt for the fake model, whose tokens are bytes.
inline GenerateRequest request_for(std::string_view prompt, std::uint32_t tokens_max,
                                   std::size_t choices = 1) {
  GenerateRequest request;
  for (const char c : prompt) request.prompt.push_back(static_cast<unsigned char>(c));
  request.tokens_max = tokens_max;
  request.ignore_eos = true;
  for (std::size_t i = 0; i < choices; ++i)
    request.choice_seeds.emplace_back().fill(static_cast<std::uint8_t>(i + 1));
  return request;
}

}  // namespace loam::engine::testing
