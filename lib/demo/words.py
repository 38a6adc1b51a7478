"""What the sample story is made of: people, places, items, parts and sentences. All of it is invented."""

from dataclasses import dataclass

from db.codes import CancelReason, FaultCode, ItemKind, Role

F = FaultCode
K = ItemKind

STAFF: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("wang.li", "王丽", (Role.HOTLINE,)),
    ("zhao.min", "赵敏", (Role.DISPATCHER, Role.HOTLINE)),
    ("chen.gang", "陈刚", (Role.TECHNICIAN,)),
    ("liu.yang", "刘洋", (Role.TECHNICIAN,)),
    ("ma.chao", "马超", (Role.TECHNICIAN,)),
    ("qian.bo", "钱波", (Role.STOREKEEPER,)),
    ("zhou.jie", "周洁", (Role.SALES,)),
    ("wu.hao", "吴昊", (Role.QUALITY,)),
    ("sun.fang", "孙芳", (Role.SUPERVISOR,)),
    ("feng.lin", "冯琳", (Role.AUDITOR,)),
    ("zheng.wei", "郑伟", (Role.ADMINISTRATOR,)),
)
"""Login, name and roles."""

CUSTOMERS: tuple[tuple[str, str], ...] = (
    ("上海云汀酒店管理有限公司", "云汀酒店"),
    ("杭州湖畔雅居酒店", "湖畔雅居"),
    ("苏州金鸡湖会议中心", "金鸡湖会议中心"),
    ("南京紫岚大酒店", "紫岚大酒店"),
    ("宁波东港国际酒店", "东港国际"),
    ("无锡太湖疗养院", "太湖疗养院"),
    ("上海瑞安口腔医院", "瑞安口腔"),
    ("上海徐汇第二实验小学", "徐汇二实小"),
    ("嘉兴南湖书院酒店", "南湖书院"),
    ("绍兴鉴湖度假村", "鉴湖度假村"),
    ("上海恒隆办公服务有限公司", "恒隆办公"),
    ("合肥天鹅湖宾馆", "天鹅湖宾馆"),
    ("常州恐龙谷亲子酒店", "恐龙谷酒店"),
    ("南通滨江妇幼保健院", "滨江妇幼"),
    ("上海锦绣前程公寓", "锦绣公寓"),
    ("杭州西溪联合办公", "西溪联合办公"),
    ("扬州瘦西湖园林宾馆", "瘦西湖宾馆"),
    ("镇江金山养老服务中心", "金山养老"),
    ("上海虹桥商务会馆", "虹桥会馆"),
    ("温州瓯江假日酒店", "瓯江假日"),
    ("湖州莫干山民宿集群", "莫干山民宿"),
    ("昆山阳澄湖度假酒店", "阳澄湖度假"),
    ("上海静安图书馆", "静安图书馆"),
    ("台州府城文化酒店", "府城文化酒店"),
    ("芜湖镜湖科技孵化园", "镜湖孵化园"),
)
"""Name and short name; a larger story goes round again with a number behind."""

SITES = ("主楼", "二期", "东区", "贵宾楼", "会议中心", "裙楼")
DISTRICTS = (
    "上海市徐汇区",
    "上海市浦东新区",
    "上海市静安区",
    "杭州市西湖区",
    "苏州市工业园区",
    "南京市玄武区",
    "宁波市鄞州区",
    "无锡市滨湖区",
)
ROOMS = (
    "1203 客房",
    "1508 客房",
    "806 客房",
    "2101 套房",
    "宴会厅",
    "多功能厅",
    "会议室 A",
    "会议室 B",
    "院长办公室",
    "大堂",
    "西餐厅",
    "阅览室",
    "三楼走廊",
    "健身房",
)


@dataclass(frozen=True, slots=True)
class ItemWords:
    """An item as the catalogue names it, and what tends to break on it."""

    kind: ItemKind
    name: str
    faults: tuple[FaultCode, ...]


ITEMS = (
    ItemWords(K.BLACKOUT, "全遮光帘 3.2×2.8 米", (F.FABRIC_TORN, F.FABRIC_FADED, F.SIZE_WRONG)),
    ItemWords(K.BLACKOUT, "阻燃遮光帘 4.0×3.0 米", (F.FABRIC_TORN, F.RUNNER_OFF, F.SIZE_WRONG)),
    ItemWords(K.MOTOR_TRACK, "电动开合帘轨道 DT82", (F.MOTOR_DEAD, F.NOISE, F.TRACK_DEFORMED)),
    ItemWords(K.MOTOR_TRACK, "静音电动轨道 KT320E", (F.MOTOR_DEAD, F.REMOTE_DEAD, F.NOISE)),
    ItemWords(K.MOTOR_TRACK, "弧形电动轨道", (F.TRACK_DEFORMED, F.RUNNER_OFF, F.MOTOR_DEAD)),
    ItemWords(K.ROMAN_BLIND, "亚麻罗马帘", (F.CORD_BROKEN, F.BLIND_UNEVEN, F.FABRIC_FADED)),
    ItemWords(K.ROLLER_BLIND, "阳光卷帘 5%", (F.BLIND_UNEVEN, F.CORD_BROKEN, F.BRACKET_LOOSE)),
    ItemWords(K.ROLLER_BLIND, "电动卷帘 45 管", (F.MOTOR_DEAD, F.REMOTE_DEAD, F.BLIND_UNEVEN)),
    ItemWords(K.SHEER, "高透纱帘", (F.FABRIC_TORN, F.RUNNER_OFF, F.SIZE_WRONG)),
    ItemWords(K.CURTAIN, "提花布帘", (F.FABRIC_FADED, F.BRACKET_LOOSE, F.RUNNER_OFF)),
    ItemWords(K.REMOTE, "十五频道遥控器", (F.REMOTE_DEAD,)),
    ItemWords(K.OTHER, "医用隔帘轨道", (F.RUNNER_OFF, F.BRACKET_LOOSE, F.OTHER)),
)

COMPLAINTS: dict[FaultCode, tuple[str, ...]] = {
    F.MOTOR_DEAD: (
        "按遥控器和墙面开关都没反应，电机不转。",
        "窗帘开到一半停住了，之后电机完全不动。",
        "停电恢复以后电机一直不工作，客人今晚要入住。",
    ),
    F.REMOTE_DEAD: (
        "遥控器指示灯不亮，换过电池还是不行。",
        "遥控器只能关不能开，已经重新对码两次。",
    ),
    F.TRACK_DEFORMED: (
        "轨道中段往下弯，窗帘拉到那里就卡住。",
        "搬家具时撞到轨道，轨道明显变形。",
    ),
    F.RUNNER_OFF: (
        "右侧有五六个滑轮脱出来，帘布垂下一角。",
        "滑轮断了几个，拉起来很涩。",
    ),
    F.CORD_BROKEN: (
        "拉绳断了，帘子升不上去。",
        "拉珠链条断开，卷帘卡在最下面。",
    ),
    F.FABRIC_TORN: (
        "帘布下摆被轮椅刮破，大约三十公分。",
        "接缝处开线，越来越长。",
        "保洁时挂破了一个口子，需要修补或更换。",
    ),
    F.FABRIC_FADED: (
        "朝南两幅褪色严重，和旁边的颜色差很多。",
        "使用一年多，靠窗一侧明显发白。",
    ),
    F.BLIND_UNEVEN: (
        "卷帘收上去左右不平，往一边跑偏。",
        "罗马帘折叠不齐，下杆是斜的。",
    ),
    F.NOISE: (
        "开合时有很大的咔咔声，客人投诉。",
        "电机运行声音比以前大，像是摩擦声。",
    ),
    F.SIZE_WRONG: (
        "新装的帘子短了约五公分，漏光。",
        "宽度不够，拉上后中间有缝。",
    ),
    F.BRACKET_LOOSE: (
        "安装码松动，帘子有掉下来的危险。",
        "吊顶上的固定件脱落，轨道一头下垂。",
    ),
    F.OTHER: (
        "客户要求上门检查整层窗帘的使用情况。",
        "隔帘拉不到位，需要看一下轨道。",
    ),
}

REPORTS: dict[FaultCode, tuple[str, ...]] = {
    F.MOTOR_DEAD: ("更换电机并重新设定行程，运行正常。", "电源模块烧坏，已更换，试运行十次正常。"),
    F.REMOTE_DEAD: ("更换遥控器并重新对码，全部频道正常。", "清洁接收器触点后恢复正常。"),
    F.TRACK_DEFORMED: ("更换变形段轨道并加装一个吊点。", "校直轨道，补装安装码，滑动顺畅。"),
    F.RUNNER_OFF: ("补装滑轮八个，轨道内清理上蜡。", "更换全部滑轮和封口堵头。"),
    F.CORD_BROKEN: ("更换拉绳并调整锁绳器。", "更换拉珠链条，升降顺畅。"),
    F.FABRIC_TORN: ("现场修补并加固下摆，客户认可。", "更换帘布一幅，颜色与原来一致。"),
    F.FABRIC_FADED: ("更换两幅帘布，旧布带回质检。", "确认褪色，已换新布并登记批号。"),
    F.BLIND_UNEVEN: ("调整卷管水平，重新对齐下杆。", "更换一侧制头并校平。"),
    F.NOISE: ("更换皮带并清理轨道，声音恢复正常。", "紧固传动箱，加润滑，噪音消除。"),
    F.SIZE_WRONG: ("放下摆并重新缝边，不再漏光。", "按现场尺寸更换帘布。"),
    F.BRACKET_LOOSE: ("更换膨胀螺栓，全部安装码复紧。", "加装吊杆四个，承重测试通过。"),
    F.OTHER: ("逐间检查，调整六处，其余正常。", "清理轨道并更换两只滑轮。"),
}

CONTACT_WORDS = (
    "已与客户通话，确认故障和方便上门的时间。",
    "电话联系前台，约好上门时间段。",
    "回电说明处理步骤，客户同意。",
    "联系工程部，请对方先断电等待。",
)
REMOTE_FIXED = (
    "电话指导重新对码，客户确认恢复正常。",
    "指导客户重启电源模块，恢复正常。",
    "指导调整行程限位，客户试用正常。",
)
CANCEL_WORDS = (
    ("客户自行处理好了，要求取消。", CancelReason.NOT_NEEDED),
    ("同一故障已有工单，本单重复。", CancelReason.DUPLICATE),
    ("房间改造，窗帘不再使用。", CancelReason.NOT_NEEDED),
)
NOTES = (
    "客户希望下午两点以后上门。",
    "进入工地需戴安全帽，提前联系保安登记。",
    "该房间今晚有客人入住，请尽快。",
    "上门前半小时请先打电话。",
    "需要带三米梯子。",
)
WAITING_PARTS_REPORT = "现场检查，需要更换的配件车上没有，已登记等件。"
WAITING_CUSTOMER_REPORT = "房间有客人，客户要求改日再修。"
WAITING_MAKER_REPORT = "属于电机批次问题，已报厂家技术部确认方案。"
WAITING_WORDS = {
    "customer": "等客户确认更换费用。",
    "parts": "等配件到货，预计两天。",
    "maker": "等厂家答复技术方案。",
    "appraisal": "等第三方对布料褪色出鉴定结果。",
}
CALL_WORDS = {
    "fixed": ("客户确认已修好，表示满意。", "前台确认使用正常。", "工程部确认，没有其他问题。"),
    "not_fixed": ("客户反映又出现同样的问题，需再次上门。",),
    "no_answer": ("无人接听。", "占线，稍后再打。"),
    "declined": ("客户表示不方便接受回访。",),
}
VISIT_CANCELLED = ("客户临时改期。", "技师有急修，改派时间。")
SURVEY_WORDS = (
    "师傅很专业，处理得快。",
    "态度好，收拾得很干净。",
    "等配件的时间有点长。",
    "迟到了二十分钟，不过修好了。",
    "",
    "",
    "",
)


@dataclass(frozen=True, slots=True)
class PartWords:
    number: str
    name: str
    name_en: str
    unit: str
    minimum: int
    serves: tuple[FaultCode, ...]


PARTS = (
    PartWords("MT-DT82", "开合帘电机 DT82", "Curtain motor DT82", "台", 4, (F.MOTOR_DEAD,)),
    PartWords(
        "MT-KT320", "静音电机 KT320E", "Silent motor KT320E", "台", 3, (F.MOTOR_DEAD, F.NOISE)
    ),
    PartWords("MT-45R", "管状电机 45", "Tubular motor 45", "台", 3, (F.MOTOR_DEAD,)),
    PartWords("PW-24V", "24 V 电源模块", "24 V power supply", "个", 5, (F.MOTOR_DEAD,)),
    PartWords("RC-15", "十五频道遥控器", "15-channel remote", "个", 6, (F.REMOTE_DEAD,)),
    PartWords("RC-02", "双控遥控器", "2-channel remote", "个", 4, (F.REMOTE_DEAD,)),
    PartWords("BAT-CR2450", "纽扣电池 CR2450", "Coin cell CR2450", "粒", 20, (F.REMOTE_DEAD,)),
    PartWords("TR-AL2", "铝合金轨道 2 米", "Aluminium track 2 m", "根", 5, (F.TRACK_DEFORMED,)),
    PartWords("TR-BEND", "弯轨接头", "Bent track joint", "个", 4, (F.TRACK_DEFORMED,)),
    PartWords("RN-STD", "标准滑轮", "Standard runner", "个", 80, (F.RUNNER_OFF, F.OTHER)),
    PartWords("RN-SIL", "静音滑轮", "Silent runner", "个", 60, (F.RUNNER_OFF, F.NOISE)),
    PartWords("BLT-10", "传动皮带 10 米", "Drive belt 10 m", "条", 4, (F.NOISE,)),
    PartWords("CRD-3", "拉绳 3 毫米", "Pull cord 3 mm", "米", 40, (F.CORD_BROKEN,)),
    PartWords("CHN-45", "拉珠链条", "Bead chain", "条", 10, (F.CORD_BROKEN, F.BLIND_UNEVEN)),
    PartWords("END-45", "卷帘制头 45", "Roller end 45", "套", 8, (F.BLIND_UNEVEN,)),
    PartWords("BRK-CEIL", "顶装安装码", "Ceiling bracket", "个", 30, (F.BRACKET_LOOSE,)),
    PartWords("BRK-WALL", "侧装安装码", "Wall bracket", "个", 20, (F.BRACKET_LOOSE,)),
    PartWords("SCR-M8", "膨胀螺栓 M8", "Expansion bolt M8", "个", 50, (F.BRACKET_LOOSE,)),
    PartWords(
        "FAB-BLK", "遮光布 备用幅", "Blackout spare panel", "幅", 3, (F.FABRIC_TORN, F.SIZE_WRONG)
    ),
    PartWords(
        "FAB-SHR", "纱帘布 备用幅", "Sheer spare panel", "幅", 3, (F.FABRIC_TORN, F.FABRIC_FADED)
    ),
    PartWords("TAPE-W", "挂钩织带", "Heading tape", "米", 30, (F.SIZE_WRONG, F.FABRIC_TORN)),
)
