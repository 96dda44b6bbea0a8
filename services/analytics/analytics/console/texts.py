"""What the console says, in English and in Chinese. The English text is the key of the other languages."""

from collections.abc import Mapping
from typing import Protocol

LANGUAGES = {"en": "English", "zh": "中文"}


class Text(Protocol):
    def __call__(self, text: str, /, **values: object) -> str: ...


def text_in(language: str) -> Text:
    catalog = CATALOGS[language]

    def said(text: str, /, **values: object) -> str:
        found = catalog.get(text, text)
        return found.format(**values) if values else found

    return said


# Names that programs use, as English people would say them.
ENGLISH: Mapping[str, str] = {
    "at_step": "the owner at that step",
    "entry": "the owner at the entry",
    "current": "the present owner",
    "mode reached": "reached or passed",
    "mode touched": "entered itself",
    "mode strict": "entered in order",
    "mode reached explained": "A step counts a deal that reached this stage or a later one.",
    "mode touched explained": "A step counts a deal that was in this very stage.",
    "mode strict explained": "A step counts a deal that went through all stages up to it, in their order.",
    "retention on": "in that month",
    "retention unbounded": "in that month or any later one",
}

CHINESE: Mapping[str, str] = {
    "{days} days": "{days} 天",
    "{entered} deals entered “{pipeline}” in the period, {won} of them are won.": (
        "期间内有 {entered} 个商机进入「{pipeline}」，其中 {won} 个已赢单。"
    ),
    "{late} late": "逾期 {late} 件",
    "{low} to {high} h": "{low}–{high} 小时",
    "{n} came in": "新收 {n} 件",
    "{n} customers": "{n} 位客户",
    "{n} kept, {late} late": "按时 {n} 件，逾期 {late} 件",
    "{n} of them late": "其中逾期 {n} 件",
    "{n} orders": "{n} 个订单",
    "{n} records' streams are left out until repaired.": "有 {n} 条记录流在修复之前未计入。",
    "{n} unanswered": "未回复 {n} 件",
    "{rate} came back": "重开率 {rate}",
    "{won} won, {lost} lost": "赢 {won}，输 {lost}",
    "A link opens this door": "请用链接进入",
    "A step counts if": "计入条件",
    "All": "全部",
    "Answered": "已回复",
    "Answered within a day": "一天内回复",
    "As of": "截至",
    "Back to the overview": "返回总览",
    "Before": "止（不含）",
    "Benchmark": "基准",
    "Bought again a month later": "次月再次购买",
    "By": "分组",
    "Closed": "已关闭",
    "Complaints": "投诉",
    "Complete up to": "完整至",
    "Confirmed": "已确认",
    "Cost": "成本",
    "Cost ratio": "成本率",
    "Counts who bought": "统计",
    "Credited to": "归属于",
    "Currency": "币种",
    "Customers": "客户数",
    "Customers by the month of their first purchase that still counts: a cancelled order counts nowhere.": (
        "按首次有效购买的月份分组；已取消的订单不计入。"
    ),
    "Customers by the month of their first purchase, and how many bought again so many months later": (
        "按首次购买月份分组的客户，以及若干个月后再次购买的比例"
    ),
    "Day": "日期",
    "Day by day": "逐日",
    "Deals": "商机数",
    "Deals closed in the period": "期间内关闭的商机",
    "Each step is credited by {attribution}.": "每一步按“{attribution}”归属。",
    "Entered": "进入",
    "First replies by elapsed time": "首次回复所用时间",
    "From": "起",
    "From position": "起始位置",
    "From {start} and before {end}; open deals and complaints as they are now.": (
        "{start} 起，{end} 前；进行中的商机和投诉为当前值。"
    ),
    "From {start} and before {end}; what is open as it is now.": "{start} 起，{end} 前；未结投诉为当前值。",
    "Funnel": "漏斗",
    "Go on to the figures": "查看数据",
    "Goodbye": "再见",
    "How far the figures are": "数据新鲜度",
    "How far they came": "各阶段到达情况",
    "Kept": "按时",
    "Kept rate": "按时率",
    "Lag": "延迟",
    "Language": "语言",
    "Late": "逾期",
    "Leave": "退出",
    "Left out until repaired": "修复前不计入",
    "Legend": "图例",
    "Lost": "输单",
    "Month": "月份",
    "No deal entered in this period.": "此期间没有商机进入。",
    "No pipeline has been told of yet.": "尚无销售管道。",
    "Nothing to show for this choice.": "此选择下没有数据。",
    "Of all": "占全部",
    "Of the previous": "占上一步",
    "Only deals that are {days} days old count, with what came within that time.": (
        "只计入满 {days} 天的商机，以及该时间内发生的变化。"
    ),
    "Open": "未结",
    "Open complaints": "未结投诉",
    "Open deals": "进行中的商机",
    "Open deals by stage": "各阶段进行中的商机",
    "Open now": "当前未结",
    "Open the address of the answer in this browser. You stay signed in for twelve hours.": (
        "在此浏览器中打开返回的地址，登录保持十二小时。"
    ),
    "Orders": "订单数",
    "Overview": "总览",
    "Pages": "页面",
    "Parked": "搁置",
    "Pipeline": "销售管道",
    "Pipelines: open now, and closed in the period": "销售管道：当前进行中与期间内关闭",
    "Position": "位置",
    "Promised replies kept": "按时回复率",
    "Records": "记录数",
    "Registered": "新收",
    "Reopened": "重开",
    "Resolved": "已解决",
    "Resolved, not closed": "已解决未关闭",
    "Retention": "留存",
    "Sales": "销售额",
    "Sales by team": "各团队销售额",
    "Shares need one owner for all steps: choose the owner at the entry or the present one.": (
        "比率要求各步同属一位负责人：请选择进入时或当前的负责人。"
    ),
    "Show": "显示",
    "Show them as of now": "显示当前数据",
    "Sign in": "登录",
    "Since milestone": "自上一里程碑",
    "Skip to the figures": "跳到数据",
    "Something may be missing: not every source has been heard of lately.": "数据可能不全：有来源近期没有消息。",
    "Source": "来源",
    "Stage": "阶段",
    "Stages are those of version {version} of the pipeline.": "阶段以管道第 {version} 版为准。",
    "Steps of the deals that entered in the period": "期间内进入的商机的各步",
    "Steps of the funnel": "漏斗各步",
    "Stream": "记录流",
    "Team": "团队",
    "The console is entered with a link that works once, for ten minutes. Starting everything on a developer's "
    "machine prints one; anyone with a figures role can ask for one:": (
        "控制台通过一次性链接进入，十分钟内有效。在开发机上启动时会打印一个；有数据权限的人也可以申请："
    ),
    "The last row is of all cohorts for which that month is over.": "最后一行为该月已结束的所有分组合计。",
    "The same by {part}": "按{part}分组",
    "The same figures again, whatever is told later": "无论之后有何变化，都得到相同的数据",
    "These are the figures as they were at an earlier position.": "这是较早位置的数据。",
    "Time to the first reply": "首次回复用时",
    "Unanswered": "未回复",
    "Value": "金额",
    "Value lost": "输单金额",
    "Value won": "赢单金额",
    "View": "视图",
    "Welcome": "欢迎",
    "What happened in the period": "期间内发生的情况",
    "Whoever was not seen since may yet return: these shares can still rise.": (
        "尚未回来的客户仍可能回来，比例还会上升。"
    ),
    "Why": "原因",
    "Win rate": "赢单率",
    "Within": "时间窗",
    "Within a day": "一天内",
    "Won": "赢单",
    "You have left the console. A new link opens it again.": "您已退出控制台，可用新链接再次进入。",
    "Zone": "时区",
    "all": "全部",
    "an earlier position": "较早位置",
    "any time": "不限",
    "benchmark": "基准",
    "channel": "渠道",
    "missed": "未达到",
    "none": "（无）",
    "of all": "占全部",
    "of the previous": "占上一步",
    "of {n} customers": "共 {n} 位客户",
    "of {n} first replies": "共 {n} 次首次回复",
    "over {hours} h": "超过 {hours} 小时",
    "owner": "负责人",
    "product": "产品",
    "reached": "达到",
    "reason": "原因",
    "since milestone": "自上一里程碑",
    "source": "来源",
    "team": "团队",
    "the month is not over": "该月未结束",
    "unknown": "未知",
    "up to {hours} h": "{hours} 小时内",
    "at_step": "该步时的负责人",
    "entry": "进入时的负责人",
    "current": "当前负责人",
    "mode reached": "到达或越过",
    "mode touched": "进入过",
    "mode strict": "依次进入",
    "mode reached explained": "到达该阶段或之后阶段的商机计入。",
    "mode touched explained": "进入过该阶段的商机计入。",
    "mode strict explained": "依次经过此前所有阶段的商机计入。",
    "retention on": "当月购买",
    "retention unbounded": "当月或之后购买",
}

CATALOGS = {"en": ENGLISH, "zh": CHINESE}
