"""A first plugin: the members of a loyalty programme's API, as a source of the hub."""

from hub.hookspecs import hookimpl
from hub.http import ApiClient
from hub.records import Customer, Identifier
from hub.source import Check, ConnectionConfig, CursorKind, Page, Source, Stream
from hub.titles import Title


class LoyaltyConfig(ConnectionConfig):
    base_url: str


def to_customer(row):
    phone = Identifier(kind="phone", value=row["mobile"], assurance="typed_by_customer")
    return Customer(source_id=row["id"], name=row["name"], updated_at=row["changed_at"], identifiers=(phone,))


class Loyalty(Source):
    name, title, Config = "loyalty", Title("会员计划", "Loyalty programme"), LoyaltyConfig

    def check(self):
        self.members({}).__next__()
        return [Check("members can be read", ok=True)]

    def streams(self):
        return [Stream("members", Customer, self.members, CursorKind.ORDERED)]

    def members(self, state):
        after = state.get("after", "")
        with ApiClient(self.config.base_url, transport=self.runtime.transport) as api:
            while rows := api.get("/members", {"after": after}).data:
                after = rows[-1]["id"]
                yield Page.of(rows, to_customer, cursor={"after": after}, location="/members")


@hookimpl
def register_sources():
    return [Loyalty]
