"""Tags of the simulated platform: names with values, bound to customers fifty at a time."""

from __future__ import annotations

from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError
from plugins.weimob.api import Api
from plugins.weimob.simulator.accounts import Accounts
from plugins.weimob.simulator.gateway import api

__all__ = ["Tags"]

_MOST_VALUES: Final = 20
_LONGEST: Final = 30


class Tags(Accounts):
    """Capabilities about tags."""

    @api(Api.TAGS, paged=True)
    def tag_list(self, call: Call) -> object:
        """List tags with their values."""
        call.params.integer("vid")
        page, size = call.params.integer("pageNum", 1, least=1), call.params.integer("pageSize", 20, least=1, most=100)
        rows = self.db.rows("SELECT * FROM tags ORDER BY tag_id LIMIT ? OFFSET ?", size, (page - 1) * size)
        found = [
            {
                "tagId": row["tag_id"], "tagName": row["name"], "tagType": row["type"], "isPersonal": 0, "source": 2,
                "openTagAttrVoList": [
                    {"attrId": value["attr_id"], "attrName": value["name"]}
                    for value in self.db.rows("SELECT * FROM tag_values WHERE tag_id = ? ORDER BY attr_id", row["tag_id"])
                ],
            }
            for row in rows
        ]  # fmt: skip
        total = self.db.value("SELECT count(*) FROM tags")
        return {"totalCount": total, "pageNum": page, "pageSize": size, "pageList": found}

    @api(Api.TAGS_CREATE, write=True)
    def tag_insert(self, call: Call) -> object:
        """Make up to ten tags; a name that is taken fails alone."""
        call.params.integer("vid"), call.params.integer("vidType")
        found = []
        for entry in call.params.array("openCreateTagRequestList", most=10):
            wish = Params(entry)
            name = wish.text("tagName", longest=_LONGEST)
            values = [str(each["attrName"]) for each in wish.array("tagAttrRequestList", [], most=_MOST_VALUES)]
            if (
                wish.integer("source") not in (0, 2)
                or wish.integer("isPersonal") != 0
                or any(len(each) > _LONGEST for each in values)
            ):
                raise RefusalError("40101", "标签参数错误")
            if self.db.value("SELECT 1 FROM tags WHERE name = ?", name):
                found.append({"tagId": None, "tagName": name, "isSuccess": False, "source": 2})
                continue
            tag = self.tag_id(name, wish.integer("tagType"))
            for value in values:
                self.value_id(tag, value)
            found.append({"tagId": tag, "tagName": name, "isSuccess": True, "source": 2})
        return {"listVo": found}

    @api(Api.TAG_VALUE_CREATE, write=True)
    def value_create(self, call: Call) -> object:
        """Make a value of a tag: twenty at most."""
        tag, name = call.params.integer("tagId"), call.params.text("attrName", longest=_LONGEST)
        if not self.db.value("SELECT 1 FROM tags WHERE tag_id = ?", tag):
            raise RefusalError("40102", "标签不存在")
        if self.db.value("SELECT 1 FROM tag_values WHERE tag_id = ? AND name = ?", tag, name):
            raise RefusalError("40103", "标签值已存在")
        if self.db.value("SELECT count(*) FROM tag_values WHERE tag_id = ?", tag) >= _MOST_VALUES:
            raise RefusalError("40104", "标签值最多20个")
        return {"attrId": self.value_id(tag, name)}

    @api(Api.TAGS_OF)
    def tags_of(self, call: Call) -> object:
        """Return the tags of up to twenty customers: an object keyed by wid."""
        call.params.integer("vid"), call.params.flag("isFilterCrow")
        found: dict[str, Any] = {}
        for wid in call.params.array("widList", most=20):
            tags: dict[int, dict[str, Any]] = {}
            for row in self.db.rows(
                "SELECT t.tag_id, t.name, t.type, v.attr_id, v.name AS value, c.at FROM customer_tags AS c JOIN tag_values AS v USING"
                " (attr_id) JOIN tags AS t USING (tag_id) WHERE c.wid = ? ORDER BY t.tag_id, v.attr_id", int(wid),
            ):  # fmt: skip
                tag = tags.setdefault(row["tag_id"], {
                    "tagId": row["tag_id"], "tagName": row["name"], "tagType": row["type"], "updateTime": row["at"], "sortIndex": 0,
                    "customerTagAttrVoList": [],
                })  # fmt: skip
                tag["customerTagAttrVoList"].append(
                    {"attrId": row["attr_id"], "attrName": row["value"], "attrValue": None}
                )
            found[str(wid)] = list(tags.values())
        return {"customerTagListMap": found}

    @api(Api.TAGS_BIND, write=True)
    def bind(self, call: Call) -> object:
        """Bind values to up to fifty customers; those who do not exist fail, the others are bound."""
        call.params.flag("needCheckExist")
        return self._relate(call, binding=True)

    @api(Api.TAGS_UNBIND, write=True)
    def unbind(self, call: Call) -> object:
        """Take values from up to fifty customers."""
        return self._relate(call, binding=False)

    def _relate(self, call: Call, *, binding: bool) -> object:
        params, known = call.params, self.credentials
        params.integer("vid")
        for name, setting in (
            ("bosId", "bos_id"),
            ("productInstanceId", "product_instance_id"),
            ("merchantId", "merchant_id"),
        ):
            if params.text(name) != known[setting]:
                raise RefusalError("40110", f"{name}错误")
        values = [int(value) for tag in params.array("tagList", most=20) for value in tag["attrIdList"]]
        wids = [int(wid) for wid in params.array("widList", most=50)]
        failed = [wid for wid in wids if self.customer(wid) is None]
        for wid in wids:
            if wid in failed:
                continue
            for value in values:
                self._one(wid, value, binding=binding)
            self.notify("weimob_cdp.customer.tag", "update", {"wid": wid, "event": "bind" if binding else "unbind"})
        if not self.names_failures:
            return {"isSuccess": not failed}
        errors = [{"wid": wid, "errorMessage": "客户不存在"} for wid in failed]
        return {
            "isSuccess": True,
            "successCount": len(wids) - len(failed),
            "errorCount": len(failed),
            "errorList": errors,
        }

    def _one(self, wid: int, value: int, *, binding: bool) -> None:
        if not self.db.value("SELECT 1 FROM tag_values WHERE attr_id = ?", value):
            raise RefusalError("40105", "标签值不存在")
        if binding:
            self.tag_customer(wid, value, by_hub=True)
        else:
            self.db.execute("DELETE FROM customer_tags WHERE wid = ? AND attr_id = ?", wid, value)
