"""The reasons of docs/formats/dataset.md with all texts at hand: what a builder of profile `own` drops."""
from dataset_text import joined_pairs, signature
from record_check import Fault


def groups_of(pairs):
    """What is joined, also over others: from each id to one of its group."""
    leader = {}

    def find(identity):
        while leader.setdefault(identity, identity) != identity:
            identity = leader[identity]
        return identity

    for first, second in pairs:
        leader[find(first)] = find(second)
    return {identity: find(identity) for identity in leader}


class Selection:
    """`dropped` by id: (reason, rule or record that is named); the others are the rows."""

    def __init__(self, data, bodies):
        self.seed, self.cap, self.dropped = data.seed, data.query.cap, {}
        self.left = [record for _, record in sorted(data.candidates.items())]
        self.drop(lambda record: (data.by_header(record), None))
        self.drop(lambda record: self.take_body(record, bodies))
        self.drop(data.by_text)
        self.drop_superseded()
        self.drop_alike()
        self.drop_capped()
        self.drop(lambda record: (None if record.fits_split(self.seed) else "scope", None))

    def drop(self, why):
        """Drops each of which `why` names a reason."""
        found = {record.id: why(record) for record in self.left}
        self.left = [record for record in self.left if not found[record.id][0]]
        self.dropped |= {identity: reason for identity, reason in found.items() if reason[0]}

    @staticmethod
    def take_body(record, bodies):
        if record.id not in bodies:
            return "no-body", None
        try:
            record.give(*bodies[record.id])
        except Fault:
            return "bad-body", None
        return None, None

    def best(self, records):
        return min(records, key=lambda record: record.better(self.seed))

    def drop_superseded(self):
        edits = {}
        for record in self.left:
            if record.original:
                edits.setdefault(record.original, record)  # the first by id
        self.drop(lambda record: ("superseded", edits[record.id]) if record.id in edits else (None, None))

    def drop_alike(self):
        group = groups_of(joined_pairs({record.id: signature(record.words) for record in self.left}))
        members = {}
        for record in self.left:
            members.setdefault(group.get(record.id, record.id), []).append(record)
        best = {record.id: self.best(records) for records in members.values() for record in records}

        def why(record):
            other = best[record.id]
            if other is record:
                return None, None
            return ("duplicate" if other.texts() == record.texts() else "near-duplicate"), other

        self.drop(why)

    def drop_capped(self):
        if self.cap is None:
            return
        order, counts, kept = sorted(self.left, key=lambda record: record.better(self.seed)), {}, set()
        for record in order:
            counts[record.writer] = counts.get(record.writer, 0) + 1
            if counts[record.writer] <= self.cap:
                kept.add(record.id)
        self.drop(lambda record: (None if record.id in kept else "author-cap", None))
