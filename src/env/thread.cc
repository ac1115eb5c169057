#include "env/thread.h"

#include <pthread.h>

#include <cstdlib>
#include <exception>

#include "base/log.h"

namespace loam::env {

std::jthread start_thread(std::string name, std::function<void(std::stop_token)> body) {
  return std::jthread(
      [name = std::move(name), body = std::move(body)](const std::stop_token& stop) {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        try {
          body(stop);
        } catch (const std::exception& e) {
          log::error("env", "thread {} died: {}", name, e.what());
          std::abort();
        }
      });
}

ThreadPool::ThreadPool(const std::string& name, std::size_t threads, std::size_t jobs_max)
    : jobs_(jobs_max) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.push_back(start_thread(name, [this](const std::stop_token&) {
      while (auto job = jobs_.pop()) (*job)();
    }));
}

ThreadPool::~ThreadPool() { jobs_.close(); }

bool ThreadPool::try_run(std::function<void()> job) { return jobs_.try_push(std::move(job)); }

}  // namespace loam::env
