#include "node/fake_catalog.h"

#include <algorithm>
#include <utility>

#include "crypto/digest.h"

namespace loam::node {
namespace {

constexpr std::string_view kName = "fake";

catalog::Model fake_model() {
  catalog::Model model;
  model.name = kName;
  model.sha256 = crypto::sha256(as_bytes(kName));
  model.source = "built in";
  model.licence = "Apache-2.0";
  model.facts.architecture = "fake";
  model.facts.display_name = "Fake";
  model.facts.quantisation = "none";
  return model;
}

class FakeCatalog final : public catalog::Catalog {
 public:
  explicit FakeCatalog(std::unique_ptr<catalog::Catalog> inner) : inner_(std::move(inner)) {}

  Result<std::vector<catalog::Model>> list() override {
    auto models = LOAM_TRY(inner_->list());
    if (std::ranges::find(models, kName, &catalog::Model::name) == models.end())
      models.push_back(fake_model());
    std::ranges::sort(models, {}, &catalog::Model::name);
    return models;
  }

  Result<catalog::Model> find(std::string_view name) override {
    auto found = inner_->find(name);
    if (!found && (name == kName || name == "fake:latest")) return fake_model();
    return found;
  }

  Result<catalog::Model> add(const std::string& name, const env::Path& file,
                             const crypto::Digest& sha256, const std::string& source,
                             const std::string& licence, catalog::Placing placing) override {
    return inner_->add(name, file, sha256, source, licence, placing);
  }
  Result<catalog::Model> add_adapter(const std::string& name, const catalog::Model& base,
                                     const env::Path& file, const crypto::Digest& sha256,
                                     const std::string& source) override {
    return inner_->add_adapter(name, base, file, sha256, source);
  }
  Result<catalog::Model> copy(std::string_view from, const std::string& to) override {
    return inner_->copy(from, to);
  }
  Result<> remove(std::string_view name) override { return inner_->remove(name); }

  Result<env::Fd> open_verified(const catalog::Model&) override {
    return env::open_read("/dev/null");
  }
  Result<env::Fd> open_adapter(const catalog::Model&) override {
    return env::open_read("/dev/null");
  }

  Result<> mark_used(std::string_view name) override {
    if (name == kName) return {};
    return inner_->mark_used(name);
  }
  const env::Path& folder() const override { return inner_->folder(); }

 private:
  std::unique_ptr<catalog::Catalog> inner_;
};

}  // namespace

std::unique_ptr<catalog::Catalog> add_fake_model(std::unique_ptr<catalog::Catalog> inner) {
  return std::make_unique<FakeCatalog>(std::move(inner));
}

}  // namespace loam::node
