"""Tags of the simulated platform: grouped ones by id, ungrouped ones by name."""

from __future__ import annotations

from typing import Any, Final

from hub.simulation.server import Call, RefusalError
from plugins.youzan.simulator.customers import Customers
from plugins.youzan.simulator.gateway import api

__all__ = ["Tags"]

_NAME_LENGTH: Final = 30
_BY_ID, _BY_NAME = 50, 20


class Tags(Customers):
    """Methods about tags."""

    @api("scrm.tag.category.create", "1.0.0", write=True, group="tags")
    def tag_group_create(self, call: Call) -> object:
        """Make a tag group."""
        self.require_head_office(call, 142400101)
        name = call.params.text("tag_category_name", longest=_NAME_LENGTH)
        if self.db.value("SELECT 1 FROM tag_groups WHERE name = ?", name):
            raise RefusalError(142400110, "标签组名称已存在")
        group = self.db.insert(
            "INSERT INTO tag_groups (name, rule) VALUES (?, ?)", name, call.params.integer("tag_add_rule", 1)
        )
        for tag in call.params.array("tags", [], most=50, encoded=True):
            self.tag_id(str(tag["tag_name"]), group)
        return True

    @api("scrm.tag.category.list", "1.0.1", paged=True, group="tags")
    def tag_group_list(self, call: Call) -> object:
        """List tag groups with their tags."""
        page, size = call.params.integer("page", least=1), call.params.integer("page_size", least=1, most=50)
        name = call.params.text("tag_category_name", "")
        rows = self.db.rows(
            "SELECT * FROM tag_groups WHERE ? IN ('', name) ORDER BY id LIMIT ? OFFSET ?", name, size, (page - 1) * size
        )
        total = self.db.value("SELECT count(*) FROM tag_groups WHERE ? IN ('', name)", name)
        items = [
            {
                "tag_category_id": row["id"], "kdt_id": int(self.root), "tag_category_name": row["name"], "tag_add_rule": row["rule"],
                "tags": [
                    {"tag_id": tag["id"], "tag_name": tag["name"]}
                    for tag in self.db.rows("SELECT id, name FROM tags WHERE category = ? ORDER BY id", row["id"])
                ],
            }
            for row in rows
        ]  # fmt: skip
        return {"paginator": {"page": page, "page_size": size, "total_count": total}, "items": items}

    @api("scrm.tag.template.create", "2.0.0", write=True, group="tags")
    def tag_create(self, call: Call) -> object:
        """Make a tag in a group."""
        wanted = call.params.mapping("tag_template_create_d_t_o", encoded=True)
        group, name = wanted.integer("tag_category_id"), wanted.text("tag_name", longest=_NAME_LENGTH)
        if not self.db.value("SELECT 1 FROM tag_groups WHERE id = ?", group):
            raise RefusalError(142400111, "标签组不存在")
        if self.db.value("SELECT 1 FROM tags WHERE category = ? AND name = ?", group, name):
            raise RefusalError(142400112, "标签名称已存在")
        return {"tag_id": self.tag_id(name, group)}

    @api("scrm.tagrelation.add", "1.0.0", write=True, group="tags")
    def tags_add(self, call: Call) -> object:
        """Give a customer tags, by id."""
        open_id, tags = self._wanted(call)
        if sum(self.tag_customer(open_id, tag, by_hub=True) for tag in tags):
            self._tell_tags(call, open_id)
        return True

    @api("scrm.tagrelation.delete", "1.0.0", write=True, group="tags")
    def tags_delete(self, call: Call) -> object:
        """Take tags from a customer, by id; those the customer does not have are no error."""
        open_id, tags = self._wanted(call)
        for tag in tags:
            self.db.execute("DELETE FROM customer_tags WHERE open_id = ? AND tag = ?", open_id, tag)
        self._tell_tags(call, open_id)
        return True

    def _wanted(self, call: Call) -> tuple[str, list[int]]:
        open_id = self.user(call.params.mapping("account", encoded=True), code=142400105)
        tags = [int(tag) for tag in call.params.array("tag_ids", most=_BY_ID, encoded=True)]
        for tag in tags:
            if not self.db.value("SELECT 1 FROM tags WHERE id = ?", tag):
                raise RefusalError(142400113, "标签不存在")
        return open_id, tags

    def _tell_tags(self, call: Call, open_id: str) -> None:
        msg = {"yzOpenId": open_id, "operate_source": call.params.text("operate_source", "")}
        self.notify("youzan_scrm_ScrmTagChangePush", open_id, msg)

    @api("scrm.tagrelation.query", "1.0.0", group="tags")
    def tags_of(self, call: Call) -> object:
        """Return a customer's tags."""
        open_id = self.user(call.params.mapping("account", encoded=True), code=142400105)
        call.params.integer("display_type", least=0, most=2)
        return {"yz_open_id": open_id, "tags": [
            {"tag_id": row["id"], "name": row["name"], "category_id": row["category"] or None, "category_name": row["group_name"]}
            for row in self._tag_rows(open_id)
        ]}  # fmt: skip

    def _tag_rows(self, open_id: str) -> list[Any]:
        return self.db.rows(
            "SELECT t.id, t.name, t.category, g.name AS group_name FROM customer_tags AS c JOIN tags AS t ON t.id = c.tag"
            " LEFT JOIN tag_groups AS g ON g.id = t.category WHERE c.open_id = ? ORDER BY t.id",
            open_id,
        )

    @api("scrm.tag.relation.add", "4.0.0", write=True, group="named tags")
    def named_tags_add(self, call: Call) -> object:
        """Give a customer tags by name; unknown ones are made."""
        open_id, names = self._named(call)
        for name in names:
            self.tag_customer(open_id, self.tag_id(name, 0), by_hub=True)
        return True

    @api("scrm.tag.relation.delete", "4.0.0", write=True, group="named tags")
    def named_tags_delete(self, call: Call) -> object:
        """Take ungrouped tags from a customer by name; the shop must have them."""
        open_id, names = self._named(call)
        for name in names:
            tag = self.db.value("SELECT id FROM tags WHERE category = 0 AND name = ?", name)
            if tag is None:
                raise RefusalError(142400105, "标签不存在")
            self.db.execute("DELETE FROM customer_tags WHERE open_id = ? AND tag = ?", open_id, tag)
        return True

    @api("scrm.tag.relation.get", "4.0.0", group="named tags")
    def named_tags_of(self, call: Call) -> object:
        """Return a customer's ungrouped tags."""
        open_id = self.account(call.params, code=142400105)
        return [
            {"tag_id": row["id"], "tag_name": row["name"]} for row in self._tag_rows(open_id) if not row["category"]
        ]

    def _named(self, call: Call) -> tuple[str, list[str]]:
        open_id = self.account(call.params, code=142400105)
        names = [str(tag["tag_name"]) for tag in call.params.array("tags", most=_BY_NAME, encoded=True)]
        if any(not 0 < len(name) <= _NAME_LENGTH for name in names):
            raise RefusalError(142400106, "标签名称长度不合法")
        return open_id, names
